"""Regular expressions as the store has them: those of RE2, by Python's module re."""

import json
import re

_MAX_BYTES = 1024
_GROUPS = (
    ("(?=", "lookahead"), ("(?!", "negative lookahead"), ("(?<=", "lookbehind"), ("(?<!", "negative lookbehind"),
    ("(?>", "an atomic group"), ("(?#", "a comment"), ("(?(", "a condition"),
)
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
# In RE2 these are ASCII.
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}


def compile(pattern, options):
    """The compiled pattern; ValueError says what is not supported."""
    if not isinstance(pattern, str):
        raise ValueError("$regex requires a string")
    if len(pattern.encode()) > _MAX_BYTES:
        raise ValueError("$regex has more than %d bytes" % _MAX_BYTES)
    if "\0" in pattern:
        raise ValueError("$regex: %s is not text" % _quoted(pattern))
    if options is not None and not isinstance(options, str):
        raise ValueError("$options requires a string")
    if set(options or "") - set(_FLAGS):
        raise ValueError("$options %s: supported are i, m, s" % _quoted(options))
    flags = 0
    for option in options or "":
        flags |= _FLAGS[option]
    try:
        return re.compile(_translate(pattern, flags), flags)
    except (re.error, ValueError, OverflowError) as error:
        raise ValueError("$regex %s: %s" % (_quoted(pattern), error)) from None


def _translate(pattern, flags):
    """The pattern as re has it."""
    parts, i, in_class = [], 0, False
    while i < len(pattern):
        c = pattern[i]
        part = c
        if c == "\\":
            part = pattern[i : i + 2]
            parts.append(_escape(part, in_class))
        elif in_class:
            in_class = c != "]"
            parts.append("\\[" if c == "[" else c)
        elif c == "[":
            in_class = True
            # A bracket right behind the opening one does not close the class.
            part = re.match(r"\[\^?\]?", pattern[i:]).group()
            parts.append(part)
        elif c == "(":
            for start, name in _GROUPS:
                if pattern.startswith(start, i):
                    raise ValueError("%s, %s…), is not supported" % (name, start))
            if pattern.startswith("(?<", i):
                part = "(?<"
            parts.append("(?P<" if part == "(?<" else c)
        elif c == "$" and not flags & re.MULTILINE:
            parts.append("\\Z")  # re's $ is also before a newline at the end
        else:
            parts.append(c)
        i += len(part)
    return "".join(parts)


def _escape(part, in_class):
    c = part[1:]
    if c and c in "123456789k":
        raise ValueError("a backreference, %s, is not supported" % part)
    if c == "z":
        return "\\Z"
    if c == "Z":
        raise ValueError("invalid escape sequence: %s" % _quoted(part))
    if c in _CLASSES:
        return _CLASSES[c] if in_class else "[%s]" % _CLASSES[c]
    if c.lower() in _CLASSES and not in_class:
        return "[^%s]" % _CLASSES[c.lower()]
    return part


def _quoted(text):
    return json.dumps(text, ensure_ascii=False)
