"""The store of tests: it finds what the real one finds (pkg/runner/store)."""

import json
import os
import re
import time
import urllib.parse

from _krt_runner import store

_MAX_VALUES = 256
_MAX_DEPTH = 8
_MAX_KEYS = 16
_MAX_DOCUMENT_DEPTH = 100
_MAX_NAME = 120
_ORDERS = {
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}
_ODD = re.compile('[\x00-\x1f"\\\\\x7f\ud800-\udfff\ufffd]')


class Refused(store.StoreRefused):
    def __init__(self, text, *values):
        super().__init__("the store refused this: " + text % values)


class Store:
    """Takes the place of the store: keeps what is posted to it."""

    def __init__(self):
        self.measurements = []
        self.predictions = []
        self.documents = {}  # as they were saved
        self._ids = {}

    def post(self, path, body):
        body = json.loads(store.encode(body))
        parts = path.split("/")[2:]
        if parts == ["measurements"]:
            self.measurements.append(body)
            return {}
        if parts == ["predictions"]:
            self.predictions.append(body)
            return {}
        name = urllib.parse.unquote(parts[1])
        if len(name) > _MAX_NAME:
            raise Refused("collection %s: a name has 1 to %d bytes, none of them 0", _quoted(name), _MAX_NAME)
        if len(parts) == 3:
            return {"documents": self._find(name, body["query"])}
        return {"id": self._save(name, body["data"])}

    def _save(self, name, data):
        if not isinstance(data, dict):
            raise Refused("data: missing: a document is a JSON object")
        if _depth(data) > _MAX_DOCUMENT_DEPTH:
            raise Refused("data: more than %d levels of objects and arrays", _MAX_DOCUMENT_DEPTH)
        identity = data.get("_id")
        if identity is None:
            identity = "%08x" % int(time.time()) + os.urandom(8).hex()
        self.documents.setdefault(name, []).append(data)
        self._ids.setdefault(name, []).append(identity)
        return identity if isinstance(identity, str) else json.dumps(identity)

    def _find(self, name, query):
        conditions = _Parser().query(query)
        found = []
        for identity, data in zip(self._ids.get(name, ()), self.documents.get(name, ())):
            whole = json.loads(json.dumps(dict(data, _id=identity)))
            if all(_meets(whole, *condition) for condition in conditions):
                found.append(whole)
        return found


class _Parser:
    """Parses a query into conditions (path, operator, value); Refused if it is not valid."""

    def __init__(self):
        self._values = 0

    def query(self, query):
        conditions = []
        for field in sorted(query):
            try:
                conditions += self._field(field, query[field])
            except ValueError as error:
                raise Refused("query: field %s: %s", _quoted(field), error) from None
        return conditions

    def _field(self, field, value):
        path = field.split(".")
        if len(path) > _MAX_KEYS:
            raise ValueError("more than %d keys" % _MAX_KEYS)
        for key in path:
            _check_key(key)
        if not isinstance(value, dict) or not any(key.startswith("$") for key in value):
            self._value(value, 0)
            return [(path, "$eq", value)]
        for operator in sorted(value):
            self._operand(operator, value[operator])
        return [(path, operator, value[operator]) for operator in value]

    def _operand(self, operator, value):
        if operator in _ORDERS:
            if not isinstance(value, (bool, int, float, str)):
                raise ValueError("%s requires a number, a string or a boolean" % operator)
        elif operator == "$in":
            if not isinstance(value, list):
                raise ValueError("$in requires a list")
        elif operator != "$ne":
            raise _unknown(operator)
        self._value(value, 0)

    def _value(self, value, depth):
        self._values += 1
        if self._values > _MAX_VALUES:
            raise ValueError("more than %d values in the query" % _MAX_VALUES)
        if depth > _MAX_DEPTH:
            raise ValueError("more than %d levels in a value" % _MAX_DEPTH)
        if isinstance(value, list):
            for element in value:
                self._value(element, depth + 1)
        elif isinstance(value, dict):
            for key, member in value.items():
                _check_key(key)
                self._value(member, depth + 1)
        elif isinstance(value, str) and "\0" in value:
            raise ValueError("%s is not text" % _quoted(value))


def _check_key(key):
    if key.startswith("$"):
        raise _unknown(key)
    if not key or _ODD.search(key):
        raise ValueError("key %s cannot be searched for" % _quoted(key))


def _unknown(operator):
    return ValueError("unknown operator %s: a field has one or more of $gt, $gte, $lt, $lte, $in, $ne" % _quoted(operator))


def _quoted(text):
    return json.dumps(text, ensure_ascii=False)


def _meets(document, path, operator, wanted):
    value, found = document, True
    for key in path:
        found = isinstance(value, dict) and key in value
        if not found:
            break
        value = value[key]
    if operator == "$eq":
        return _holds(value, found, wanted)
    if operator == "$ne":
        return not _holds(value, found, wanted)
    if operator == "$in":
        return any(_holds(value, found, one) for one in wanted)
    return found and any(_kind(one) == _kind(wanted) and _ORDERS[operator](_number(one), _number(wanted)) for one in _elements(value))


def _holds(value, found, wanted):
    if not found:
        return wanted is None
    return _equal(value, wanted) or any(_equal(one, wanted) for one in _elements(value))


def _elements(value):
    return value if isinstance(value, list) else [value]


def _kind(value):
    """Values of the same kind can be compared: True is not a number."""
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, (int, float)) else type(value)


def _number(value):
    """A whole number of more than 64 bits is a double, as in the store."""
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def _equal(a, b):
    if _kind(a) != _kind(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return _number(a) == _number(b)


def _depth(value):
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return 0
    return 1 + max(map(_depth, value), default=0)
