"""Tracebacks for the node's author: without the frames of this shim."""

import os
import traceback

_HERE = os.path.dirname(os.path.abspath(__file__))
_ENTRY = os.path.join(os.path.dirname(_HERE), "krt_main.py")


def _ours(name):
    return name.startswith(_HERE + os.sep) or name == _ENTRY or name.startswith("<frozen importlib")


def text(error):
    """The traceback of error and of its causes."""
    report = traceback.TracebackException.from_exception(error)
    _trim(report, set())
    return "".join(report.format()).rstrip("\n")


def _trim(report, seen):
    if report is None or id(report) in seen:
        return
    seen.add(id(report))
    kept = [frame for frame in report.stack if not _ours(frame.filename)]
    report.stack = traceback.StackSummary.from_list(kept)
    _trim(report.__cause__, seen)
    _trim(report.__context__, seen)
    for part in getattr(report, "exceptions", None) or ():
        _trim(part, seen)


def summary(error):
    """The text of error for the client, or its type if it has no text."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # a __str__ of the node that fails
        return type(error).__name__


def name(error):
    """The type of error, with its module unless that is the node's own or built in."""
    kind = type(error)
    module = getattr(kind, "__module__", "")
    return kind.__qualname__ if module in ("builtins", "__main__", "main") else "%s.%s" % (module, kind.__qualname__)


def last_line(error):
    """The last line of a traceback: type and text."""
    lines = traceback.format_exception_only(type(error), error)
    return lines[-1].strip() if lines else type(error).__name__
