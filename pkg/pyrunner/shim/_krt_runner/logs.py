"""Log records, prints and logging of a node, one line each, to the front.

The front formats them. A record is RECORD level FIELD workflow FIELD
correlation id FIELD attributes (JSON or empty) FIELD text, with backslash and
line breaks of the text escaped; any other line is what native code wrote.
"""

import io
import json
import logging
import os
import sys
import threading

from _krt_runner import trace

RECORD = "\x1e"
FIELD = "\x1f"
_SAFE = {ord(c): "?" for c in "\x1e\x1f\r\n"}
_ESCAPED = {ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r"}


class Current:
    """The call that this process is working on; one at a time."""

    call = None


current = Current()


def emit(level, text, attributes=None, fd=2):
    """Write one record; level is D, I, W or E."""
    call = current.call
    workflow = correlation = ""
    if call is not None:
        workflow = call.workflow.translate(_SAFE)
        correlation = call.correlation_id.translate(_SAFE)
    attributes = json.dumps(attributes, default=str) if attributes else ""
    line = FIELD.join((RECORD + level, workflow, correlation, attributes, text.translate(_ESCAPED)))
    data = (line + "\n").encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(fd, data):]
    except OSError:
        pass  # the front is gone, and this process is about to go


class LineWriter(io.TextIOBase):
    """A text stream whose lines become records: sys.stdout and sys.stderr."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, fd):
        super().__init__()
        self._fd = fd
        self._rest = ""
        self._lock = threading.RLock()
        self.buffer = io.FileIO(fd, "w", closefd=False)

    def writable(self):
        return True

    def fileno(self):
        return self._fd

    def write(self, text):
        with self._lock:
            lines = (self._rest + text).split("\n")
            self._rest = lines.pop()
            for line in lines:
                emit("I", line, fd=self._fd)
        return len(text)

    def finish(self):
        """End a line begun with print(..., end="")."""
        if self._rest:
            with self._lock:
                rest, self._rest = self._rest, ""
                emit("I", rest, fd=self._fd)

    def close(self):
        """A node that closes its stdout must not close the log."""


class _Formatter(logging.Formatter):
    def formatException(self, info):
        return trace.text(info[1]) if info[1] is not None else ""


class Handler(logging.Handler):
    """Makes a record of what is logged."""

    def __init__(self):
        super().__init__()
        self.setFormatter(_Formatter("%(message)s"))

    def emit(self, record):
        try:
            level = record.levelno
            letter = "E" if level >= logging.ERROR else "W" if level >= logging.WARNING else "I" if level >= logging.INFO else "D"
            emit(letter, self.format(record), getattr(record, "krt", None))
        except Exception:
            self.handleError(record)


def install(level):
    """Send prints and logging of this process to the front."""
    sys.stdout, sys.stderr = LineWriter(1), LineWriter(2)
    root = logging.getLogger()
    root.handlers[:] = [Handler()]
    root.setLevel(level)
    logger = logging.getLogger("krt.node")
    logger.setLevel(level)
    logging.captureWarnings(True)
    return logger


def finish():
    """End the lines that a call has begun."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LineWriter):
            stream.finish()
