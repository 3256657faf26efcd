"""The values that handlers of runners up to 1.22 exchange: JSON, mostly dicts.

The front converts them from and to messages; in frames they have the name NAME. A
newer handler gets such a value as a DictAny.
"""

import json

from google.protobuf import json_format
from google.protobuf.any_pb2 import Any
from google.protobuf.struct_pb2 import Struct, Value

NAME = "{}"
_CARRIERS = {"google.protobuf.Struct": Struct, "google.protobuf.Value": Value}


def decode(data):
    return json.loads(data)


def encode(value):
    """The result of a handler as JSON; TypeError names the place of what has none."""
    try:
        return json.dumps(value, default=plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        place = _place(value, "", 0)
        raise TypeError("%s%s" % (error, " (in %s)" % place if place else "")) from None


def plain(value):
    """A JSON value for what json does not know: dates, numpy's scalars and arrays."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    for name in ("item", "tolist"):
        convert = getattr(value, name, None)
        if callable(convert):
            try:
                return convert()
            except (TypeError, ValueError):
                continue
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def _place(value, at, depth):
    """The path of the first element of value without a JSON form; empty if it is value itself."""
    if isinstance(value, dict):
        inner = [("%s.%s" % (at, key) if at else str(key), element) for key, element in value.items()]
    elif isinstance(value, (list, tuple)):
        inner = [("%s[%d]" % (at, i), element) for i, element in enumerate(value)]
    else:
        return at
    for place, element in inner if depth < 64 else ():
        try:
            json.dumps(element, default=plain)
        except (TypeError, ValueError, RecursionError):
            return _place(element, place, depth + 1)
    return at


class DictAny:
    """What a handler gets as its Any if the node before returned a dict.

    It unpacks into any message that has the fields of the dict.
    """

    def __init__(self, name, data):
        self.type_url = "type.googleapis.com/" + name
        self.value = data
        self._name = name

    def TypeName(self):
        return self._name

    def _dict(self):
        return json_format.MessageToDict(_CARRIERS[self._name].FromString(self.value))

    def Is(self, descriptor):
        if descriptor.full_name == self._name:
            return True
        value = self._dict()
        return isinstance(value, dict) and all(key in descriptor.fields_by_name for key in value)

    def Unpack(self, message):
        if message.DESCRIPTOR.full_name == self._name:
            message.ParseFromString(self.value)
            return True
        message.Clear()
        try:
            json_format.ParseDict(self._dict(), message)
        except json_format.ParseError as error:
            raise ValueError("the dict of the node before is not a %s: %s" % (message.DESCRIPTOR.full_name, error)) from None
        return True


def any_of(name, data):
    """The Any of a message with that full name."""
    if name in _CARRIERS:
        return DictAny(name, data)
    return Any(type_url="type.googleapis.com/" + name, value=data)
