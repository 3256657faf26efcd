"""The user's node: its module, its init, its handler."""

import importlib.util
import inspect
import os
import sys

from google.protobuf.message import Message

from _krt_runner import dicts, frames, logs, saves, store, streams
from _krt_runner.context import Context, Shared

_WANTED = "define `async def handler(ctx, data)` in it (or `def handler`)"


class Refused(Exception):
    """The node's code cannot run; the text says why and needs no traceback."""


class WrongOutput(Exception):
    """The handler returned something that cannot be sent. `code` is an error code of frames."""

    def __init__(self, text, code=frames.WRONG_OUTPUT):
        super().__init__(text)
        self.code = code


class Node:
    """The node's code in this process. `values` is what ctx.set stores."""

    def __init__(self, settings, logger):
        self.name = settings["node"]
        self.version = settings["version"]
        self.workflow = settings["workflow"]
        self.base_path = settings["base"]
        self.limit = settings["limit"]
        self.path = settings["handler"]
        self.dicts = settings["dicts"]  # the handler takes and returns dicts
        self.logger = logger
        self.values = {}
        self.store = None
        if settings["store"]:
            self.store = store.Client(settings["store"], self.version, self.name, self.workflow, settings.get("store_credentials"))
        self.measurement = saves.Measurement(self.store, logger)
        self.prediction = saves.Prediction(self.store, logger)
        self.db = store.DB(self.store)
        self.initial = (Shared if self.dicts else Context)(self)  # the context of init
        self.handler = self.init = None
        self.asynchronous = False  # the handler is async, a generator or not
        self.yields = False  # it is an asynchronous generator

    def load(self):
        """Import the node's module; Refused if it has no usable handler."""
        shown = os.path.relpath(self.path, self.base_path)
        self._check_file(shown)
        sys.path.insert(0, os.path.dirname(self.path))
        stem = os.path.splitext(os.path.basename(self.path))[0]
        name = stem if stem.isidentifier() and stem not in sys.modules else "main"
        spec = importlib.util.spec_from_file_location(name, self.path)
        if spec is None:
            raise Refused("%s is not a Python file: its name must end in .py" % shown)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        self.handler = self._handler(module, shown)
        self.init = getattr(module, "init", None)
        if self.init is not None:
            _check_call(self.init, (None,), "%s: init must take one argument, init(ctx)" % shown)
        self.yields = _is(inspect.isasyncgenfunction, self.handler)
        self.asynchronous = self.yields or _is(inspect.iscoroutinefunction, self.handler)

    def _check_file(self, shown):
        if os.path.isdir(self.path):
            raise Refused("%s is a folder, not a Python file: name the node's main.py" % shown)
        try:
            with open(self.path, "rb") as file:
                text = file.read()
        except OSError as error:
            raise Refused("cannot read the node's code %s: %s" % (shown, error.strerror)) from None
        if not text.strip():
            raise Refused("%s is empty: %s" % (shown, _WANTED))

    def _handler(self, module, shown):
        handler = getattr(module, "handler", None)
        if handler is None and hasattr(module, "default_handler"):
            raise Refused(
                "%s defines `default_handler`, which belongs to runner 3 (KRT v2): a KRT V1 node defines "
                "`handler(ctx, data)` and returns its message instead of calling `ctx.send_output`" % shown
            )
        if handler is None:
            raise Refused("%s has no `handler`: %s" % (shown, _WANTED))
        if not callable(handler):
            raise Refused("%s: `handler` is a %s, not a function: %s" % (shown, type(handler).__name__, _WANTED))
        names = getattr(getattr(handler, "__code__", None), "co_names", ())
        if "send_output" in names:
            raise Refused(
                "%s: the handler calls `ctx.send_output`, which belongs to runner 3 (KRT v2): "
                "a KRT V1 handler returns its message" % shown
            )
        _check_call(handler, (None, None), "%s: handler must take two arguments, handler(ctx, data)" % shown)
        return handler

    def context(self, call):
        return self.initial.of(call)

    def data(self, call):
        """The handler's argument: an Any, or a dict as in older runners."""
        if call.message == dicts.NAME:
            return dicts.decode(call.data)
        return dicts.any_of(call.message, call.data)

    def encode(self, value):
        """The name and the bytes of value, a message or what a dict node may send.

        WrongOutput if there are too many bytes or value cannot be encoded.
        """
        if isinstance(value, Message):
            name = value.DESCRIPTOR.full_name
            try:
                data = value.SerializeToString()
            except Exception as error:  # EncodeError: a required field of proto2 is missing
                raise WrongOutput("cannot encode %s: %s" % (name, error)) from error
        else:
            name = dicts.NAME
            try:
                data = dicts.encode(value)
            except TypeError as error:
                raise WrongOutput(str(error)) from None
        if len(data) > self.limit:
            what = "the value" if name == dicts.NAME else "the message " + name
            raise WrongOutput(
                "%s has %d bytes, the limit is %d (max-message-bytes)" % (what, len(data), self.limit), frames.TOO_LARGE
            )
        return name, data

    def sends(self, value):
        """Whether the node may send value."""
        return isinstance(value, Message) or self.dicts and not streams.is_generator(value)

    def sent(self, call, value):
        """The name and the bytes of value, a message for the client of a streaming rpc."""
        name, data = self.encode(value)
        if name != call.output and name != dicts.NAME:
            raise WrongOutput("cannot send: the message is a %s, the rpc returns a stream of %s" % (name, call.output))
        return name, data

    def yielded(self, ctx, value):
        """Send what the handler has yielded."""
        if not self.sends(value):
            raise WrongOutput("handler yielded %s: it must yield protobuf messages" % _what(value))
        ctx._send(value)

    def result(self, ctx, value):
        """The parts of the RESULT frame for the handler's result."""
        flags = 0
        if ctx._exit:
            flags = frames.EARLY_EXIT
            if value is None:
                value = ctx._exit_message
        if value is None and ctx._call.replied:  # as in KRT V1: the client already has a response
            self.logger.info("the handler returned None after its reply: no further node runs")
            return (frames.RESULT_HEAD.pack(frames.EARLY_EXIT | frames.NO_MESSAGE, 0),)
        if value is None and ctx._call.output:  # the end of the stream
            return (frames.RESULT_HEAD.pack(flags | frames.NO_MESSAGE, 0),)
        if self.sends(value):
            name, data = self.encode(value)
            name = name.encode()
            return frames.RESULT_HEAD.pack(flags, len(name)), name, data
        if streams.is_generator(value):
            raise WrongOutput("the handler yields messages, but %s" % streams.UNARY)
        raise WrongOutput("handler returned %s: it must return a protobuf message" % _what(value))

    def before_fork(self):
        if self.store is not None:
            self.store.before_fork()


def _is(kind, handler):
    return kind(handler) or kind(getattr(handler, "__call__", None))


def _what(value):
    return "nothing (None)" if value is None else "a %s" % type(value).__name__


def _check_call(function, arguments, text):
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        raise Refused(text) from None
    except ValueError:
        pass  # a built-in without a signature
