"""The meaning of a query, as the store has it (pkg/runner/store/query)."""

import json
import re

from krt import _regex

_MAX_VALUES = 256
_MAX_DEPTH = 8
_MAX_KEYS = 16
_ORDERS = {
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}
_SUPPORTED = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $regex (with $options), $elemMatch, $size, $all, $not, $and, $or"
_ODD = re.compile('[\x00-\x1f"\\\\\x7f\ud800-\udfff\ufffd]')


def parse(query):
    """The conditions (path, operator, operand) of a query; ValueError if it is not valid."""
    return _Parser().query(query, 0)


def meets(document, conditions):
    """Whether a document, or an element of an array, meets all conditions."""
    return all(_meets(document, *condition) for condition in conditions)


class _Parser:
    def __init__(self):
        self._values = 0

    def query(self, query, depth):
        if depth > _MAX_DEPTH:
            raise ValueError("more than %d levels of queries" % _MAX_DEPTH)
        conditions = []
        for key in sorted(query):
            if key in ("$and", "$or"):
                try:
                    conditions.append(((), key, self._queries(key, query[key], depth)))
                except ValueError as error:
                    raise ValueError("%s: %s" % (key, error)) from None
                continue
            try:
                conditions += self._field(key, query[key], depth)
            except ValueError as error:
                raise ValueError("field %s: %s" % (quoted(key), error)) from None
        return conditions

    def _queries(self, operator, queries, depth):
        if not isinstance(queries, list) or not queries or not all(isinstance(query, dict) for query in queries):
            raise ValueError("%s requires a list of queries that is not empty" % operator)
        for _ in queries:
            self._count()
        return [self.query(query, depth + 1) for query in queries]

    def _field(self, field, value, depth):
        path = field.split(".")
        if len(path) > _MAX_KEYS:
            raise ValueError("more than %d keys" % _MAX_KEYS)
        for key in path:
            _check_key(key)
        if not _has_operator(value):
            self._value(value, 0)
            return [(path, "$eq", value)]
        return self._operators(path, value, depth)

    def _operators(self, path, operators, depth):
        if depth > _MAX_DEPTH:
            raise ValueError("more than %d levels of queries" % _MAX_DEPTH)
        conditions = []
        for operator in sorted(operators):
            operand = operators[operator]
            if operator == "$options":
                if "$regex" not in operators:
                    raise ValueError("$options requires $regex")
                continue
            if operator == "$regex":
                operand = _regex.compile(operand, operators.get("$options"))
            elif operator == "$not":
                if not _has_operator(operand):
                    raise ValueError("$not requires an object of operators")
                operand = self._operators(path, operand, depth + 1)
            elif operator == "$elemMatch":
                operand = self._element(operand, depth)
            else:
                self._operand(operator, operand)
            self._count()
            conditions.append((path, operator, operand))
        return conditions

    def _element(self, query, depth):
        """Whether $elemMatch is about elements themselves, and its conditions."""
        if not isinstance(query, dict) or not query:
            raise ValueError("$elemMatch requires an object that is not empty")
        if _has_operator(query) and "$and" not in query and "$or" not in query:
            return True, self._operators((), query, depth + 1)
        return False, self.query(query, depth + 1)

    def _operand(self, operator, value):
        if operator in _ORDERS:
            if not isinstance(value, (bool, int, float, str)):
                raise ValueError("%s requires a number, a string or a boolean" % operator)
        elif operator in ("$in", "$nin", "$all"):
            if not isinstance(value, list):
                raise ValueError("%s requires a list" % operator)
        elif operator == "$exists":
            if not isinstance(value, bool):
                raise ValueError("$exists requires true or false")
            return
        elif operator == "$size":
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError("$size requires an integer that is not negative")
            return
        elif operator not in ("$eq", "$ne"):
            raise _unknown(operator)
        self._value(value, 0)

    def _count(self):
        self._values += 1
        if self._values > _MAX_VALUES:
            raise ValueError("more than %d values in the query" % _MAX_VALUES)

    def _value(self, value, depth):
        self._count()
        if depth > _MAX_DEPTH:
            raise ValueError("more than %d levels in a value" % _MAX_DEPTH)
        if isinstance(value, list):
            for element in value:
                self._value(element, depth + 1)
        elif isinstance(value, dict):
            for key in sorted(value):
                _check_key(key)
                self._value(value[key], depth + 1)
        elif isinstance(value, str) and "\0" in value:
            raise ValueError("%s is not text" % quoted(value))


def _has_operator(value):
    return isinstance(value, dict) and any(key.startswith("$") for key in value)


def _check_key(key):
    if key.startswith("$"):
        raise _unknown(key)
    if not key or _ODD.search(key):
        raise ValueError("key %s cannot be searched for" % quoted(key))


def _unknown(operator):
    if operator in ("$where", "$expr", "$function"):
        return ValueError("operator %s is refused: a query runs no code" % quoted(operator))
    return ValueError("unknown operator %s: supported are %s" % (quoted(operator), _SUPPORTED))


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def _meets(document, path, operator, wanted):
    if operator == "$and":
        return all(meets(document, query) for query in wanted)
    if operator == "$or":
        return any(meets(document, query) for query in wanted)
    if operator == "$not":
        return not meets(document, wanted)
    if operator in ("$ne", "$nin"):
        return not _meets(document, path, {"$ne": "$eq", "$nin": "$in"}[operator], wanted)
    values = list(_values(document, path))
    if operator == "$exists":
        return any(found for _, found in values) == wanted
    if operator in ("$eq", "$in", "$all"):
        wanted = [wanted] if operator == "$eq" else wanted
        holds = [any(_holds(value, found, one, path) for value, found in values) for one in wanted]
        return bool(holds) and all(holds) if operator == "$all" else any(holds)
    return any(found and _compares(value, operator, wanted, path) for value, found in values)


def _compares(value, operator, wanted, path):
    if operator == "$size":
        return isinstance(value, list) and len(value) == wanted
    if operator == "$elemMatch":
        of_values, conditions = wanted
        return isinstance(value, list) and any((of_values or isinstance(one, dict)) and meets(one, conditions) for one in value)
    if operator == "$regex":
        return any(isinstance(one, str) and wanted.search(one) is not None for one in _elements(value, path))
    return any(
        _kind(one) == _kind(wanted) and _ORDERS[operator](_number(one), _number(wanted)) for one in _elements(value, path)
    )


def _values(value, path):
    """What a path leads to: pairs of a value and whether there is one."""
    if not path:
        yield value, True
    elif isinstance(value, dict):
        if path[0] in value:
            yield from _values(value[path[0]], path[1:])
        else:
            yield None, False
    elif isinstance(value, list):
        if re.fullmatch("0|[1-9][0-9]{0,9}", path[0]) and int(path[0]) < len(value):
            yield from _values(value[int(path[0])], path[1:])
        for element in value:
            if isinstance(element, dict):
                yield from _values(element, path)
    else:
        yield None, False


def _holds(value, found, wanted, path):
    if not found:
        return wanted is None
    return _equal(value, wanted) or any(_equal(one, wanted) for one in _elements(value, path))


def _elements(value, path):
    return value if isinstance(value, list) and path else [value]


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
