"""Sends what a node logs and prints to the front, one line per record.

The front formats them. A record is RECORD level FIELD workflow FIELD
correlation id FIELD traceparent FIELD attributes (JSON or empty) FIELD text;
backslashes and line breaks in the text are escaped. Any other line was written by
native code.
"""

import functools
import io
import json
import logging
import os
import sys
import threading
import time

from _krt_runner import tracebacks

RECORD = "\x1e"
FIELD = "\x1f"
_SAFE = {ord(c): "?" for c in "\x1e\x1f\r\n"}
_ESCAPED = {ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r"}


_STREAM_EMIT = logging.StreamHandler.emit.__code__


class Current:
    """The call that this process is processing, and the level from which it logs."""

    call = None
    threshold = logging.INFO


current = Current()


def emit(level, text, attributes=None, fd=2):
    """Write one record; level is D, I, W, E, or T for the traceback of a failed call."""
    call = current.call
    workflow = correlation = trace = ""
    if call is not None:
        workflow = call.workflow.translate(_SAFE)
        correlation = call.correlation_id.translate(_SAFE)
        trace = call.traceparent  # the front's own
    attributes = json.dumps(attributes, default=str) if attributes else ""
    line = FIELD.join((RECORD + level, workflow, correlation, trace, attributes, text.translate(_ESCAPED)))
    data = (line + "\n").encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(fd, data):]
    except OSError:
        pass  # the front is gone, and this process is about to end


class _Bytes(io.FileIO):
    """The bytes below a LineWriter; closing it must not close the log."""

    def close(self):
        pass


class LineWriter(io.TextIOBase):
    """A text stream whose lines become records: sys.stdout and sys.stderr."""

    encoding = "utf-8"
    errors = "backslashreplace"
    mode = "w"
    line_buffering = True
    write_through = True

    def __init__(self, fd):
        super().__init__()
        self._fd = fd
        self._rest = ""
        self._lock = threading.RLock()
        self.name = {1: "<stdout>", 2: "<stderr>"}.get(fd, fd)
        self.buffer = _Bytes(fd, "w", closefd=False)

    def writable(self):
        return True

    def fileno(self):
        return self._fd

    def reconfigure(self, *, encoding=None, errors=None, newline=None, line_buffering=None, write_through=None):
        """Accepted as by a usual stream, without effect: each line is written at its end, in UTF-8."""

    def detach(self):
        return self.buffer

    def write(self, text):
        record = _logged(sys._getframe(1))
        if record is not None:  # whole, and at its own level
            emit(_letter(record), text.rstrip("\n"), fd=self._fd)
            return len(text)
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


def _logged(frame):
    """The record that a logging.StreamHandler of the node writes in frame; None if frame is not that."""
    return frame.f_locals.get("record") if frame.f_code is _STREAM_EMIT else None


def _letter(record):
    level = record.levelno
    if level >= logging.ERROR:
        return "E"
    if level >= logging.WARNING:
        return "W"
    # Records below the level of the runner (DEBUG) are shown if the node asks for them.
    return "I" if level >= logging.INFO or current.threshold > level else "D"


class _Formatter(logging.Formatter):
    def formatException(self, info):
        return tracebacks.text(info[1]) if info[1] is not None else ""


class Handler(logging.Handler):
    """Sends what is logged as a record."""

    def __init__(self):
        super().__init__()
        self.setFormatter(_Formatter("%(message)s"))

    def emit(self, record):
        try:
            emit(_letter(record), self.format(record), getattr(record, "krt", None))
        except Exception:
            self.handleError(record)


class NodeLogger(logging.Logger):
    """ctx.logger: its lines reach the log once, whatever the node configures."""

    _own = None  # the runner's handler; none in tests

    @property
    def disabled(self):
        return False  # dictConfig disables the loggers it does not name

    @disabled.setter
    def disabled(self, value):
        pass

    def getEffectiveLevel(self):
        return self.level or min(current.threshold, self.root.level or current.threshold)

    def callHandlers(self, record):
        super().callHandlers(record)
        if self._own is not None and not self._shown():
            self._own.handle(record)

    def _shown(self):
        """Whether a handler of this logger, or above it, writes to the log."""
        logger = self
        while logger is not None:
            for handler in logger.handlers:
                if isinstance(handler, Handler) or isinstance(getattr(handler, "stream", None), LineWriter):
                    return True
            logger = logger.parent if logger.propagate else None
        return False


def logger(name):
    """A logger of that name, of the kind of ctx.logger."""
    before = logging.getLoggerClass()
    logging.setLoggerClass(NodeLogger)
    try:
        return logging.getLogger(name)
    finally:
        logging.setLoggerClass(before)


def install(level, name):
    """Send what this process prints and logs to the front; return ctx.logger, with that name.

    Names of levels and the clock of formats are KRT V1's.
    """
    sys.stdout, sys.stderr = LineWriter(1), LineWriter(2)
    for number, text in ((logging.WARNING, "WARN"), (logging.CRITICAL, "ERROR"), (logging.ERROR, "ERROR")):
        logging.addLevelName(number, text)
    logging.Formatter.converter = time.gmtime
    current.threshold = level
    root = logging.getLogger()
    own = Handler()
    root.handlers[:] = [own]
    root.setLevel(level)
    NodeLogger._own = own
    logging.basicConfig = _configure(own, logging.basicConfig)
    logging.captureWarnings(True)
    return logger(name)


def _configure(own, basic_config):
    """basicConfig that ignores the runner's own handler."""

    @functools.wraps(basic_config)
    def configure(**options):
        root = logging.getLogger()
        ours = root.handlers == [own]
        if ours:
            root.removeHandler(own)
        try:
            basic_config(**options)
        finally:
            if ours and not root.handlers:
                root.addHandler(own)

    return configure


def finish():
    """End the unfinished lines of a call."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LineWriter):
            stream.finish()
