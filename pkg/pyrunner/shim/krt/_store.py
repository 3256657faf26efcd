"""The store of tests: it finds what the real one finds."""

import json
import urllib.parse

from _krt_runner import store
from krt import _query

_MAX_DOCUMENT_DEPTH = 100
_MAX_NAME = 120
_PAGE = 1000
_HALF = "half of a surrogate pair, which is not a character"


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
        self._taken = set()

    def post(self, path, body):
        body = json.loads(store.encode(body))
        _check_text(body, ())
        parts = path.split("/")[2:]
        if parts == ["measurements"]:
            self.measurements.append(body)
            return {}
        if parts == ["predictions"]:
            self.predictions.append(body)
            return {}
        name = urllib.parse.unquote(parts[1])
        if len(name.encode()) > _MAX_NAME:
            raise Refused("collection %s: a name has 1 to %d bytes, none of them 0", _query.quoted(name), _MAX_NAME)
        if len(parts) == 3:
            return self._find(name, body["query"], body.get("limit") or 0, body.get("cursor") or "0")
        return {"id": self._save(name, body["data"])}

    def _save(self, name, data):
        if not isinstance(data, dict):
            raise Refused("data: a document is a JSON object")
        if _depth(data) > _MAX_DOCUMENT_DEPTH:
            raise Refused("data: more than %d levels of objects and arrays", _MAX_DOCUMENT_DEPTH)
        identity = data.get("_id")
        if isinstance(identity, list):
            raise Refused("data: an _id cannot be an array")
        _check_id(identity)
        if identity is None:
            identity = store.new_id()
        whole = isinstance(identity, float) and identity.is_integer()
        key = (name, json.dumps(int(identity) if whole else identity, sort_keys=True))
        if key in self._taken:
            raise Refused("a document with this _id is in the collection already")
        self._taken.add(key)
        self.documents.setdefault(name, []).append(data)
        self._ids.setdefault(name, []).append(identity)
        return identity if isinstance(identity, str) else json.dumps(identity)

    def _find(self, name, query, limit, cursor):
        """A page of documents. Cursor is how many were looked at before."""
        try:
            conditions = _query.parse(query)
        except ValueError as error:
            raise Refused("query: %s", error) from None
        found, seen = [], int(cursor)
        documents, ids = self.documents.get(name, []), self._ids.setdefault(name, [])
        # What a test has put there itself, without a save, has no id yet.
        ids.extend(store.new_id() if data.get("_id") is None else data["_id"] for data in documents[len(ids):])
        for identity, data in list(zip(ids, documents))[seen:]:
            whole = json.loads(json.dumps(dict(data, _id=identity)))
            if _query.meets(whole, conditions):
                if limit and len(found) == min(limit, _PAGE):
                    return {"documents": found, "next": str(seen)}
                found.append(whole)
            seen += 1
        return {"documents": found}


def _depth(value):
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return 0
    return 1 + max(map(_depth, value), default=0)


def _check_id(value):
    """Refuses an _id that the store refuses: see CheckID of its client in Go."""
    if isinstance(value, dict):
        for member in value.values():
            _check_id(member)
    elif isinstance(value, list):
        for element in value:
            _check_id(element)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise Refused("data: the _id has the number %.40s, which is beyond 64 bits: save it as a text", str(value))


def _check_text(value, place):
    """Refuses text that the store refuses: see CheckText of its client in Go."""
    if isinstance(value, dict):
        for key, member in value.items():
            if _is_half(key):
                raise Refused("%s: a key has " + _HALF, ".".join(place))
            _check_text(member, place + (key,))
    elif isinstance(value, list):
        for i, element in enumerate(value):
            _check_text(element, place + (str(i),))
    elif isinstance(value, str) and _is_half(value):
        raise Refused("%s: it has " + _HALF, ".".join(place))


def _is_half(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
