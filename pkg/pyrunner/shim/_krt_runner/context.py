"""The context of init and handler: KRT V1's, with both generations of names."""

import asyncio
import datetime
import os
import time

from _krt_runner import frames, logs, streams
from _krt_runner.older import Older


class Done:
    """A result that may be awaited, and need not be."""

    __slots__ = ("value",)

    def __init__(self, value=None):
        self.value = value

    def __await__(self):
        return self.value
        yield  # makes this a generator, as __await__ must be


class Context(Older):
    """What a handler knows about its call, and what it can do."""

    def __init__(self, node, call=None):
        self.logger = node.logger
        self.measurement = node.measurement
        self.prediction = node.prediction
        self.db = node.db
        self._node = node
        self._call = call
        self._exit = False
        self._exit_message = None
        self._replied = False

    def of(self, call):
        """A context for call, with all that was set on this one: KRT V1 copied the context of init."""
        own = object.__new__(type(self))
        own.__dict__.update(self.__dict__)
        own._call = call
        return own

    def path(self, relative_path):
        """Absolute path of a file of the bundle, given from the root of the bundle."""
        return os.path.join(self._node.base_path, relative_path)

    def set(self, key, value):
        """Store value under key for all calls of this process."""
        self._node.values[key] = value

    def get(self, key):
        """The value stored under key; AttributeError (as in KRT V1) if there is none."""
        try:
            return self._node.values[key]
        except KeyError:
            raise AttributeError("ctx.get(%r): no value was set under this key" % (key,)) from None

    def early_reply(self, response):
        """Send response to the client immediately; the handler and the workflow continue."""
        if self._call is None:
            raise RuntimeError("ctx.early_reply: there is no request in init")
        if not self._node.sends(response):
            raise TypeError("ctx.early_reply takes a protobuf message, not %s" % type(response).__name__)
        if self._replied:
            raise RuntimeError("error the message was replied previously")
        if logs.current.call is not self._call:
            self.logger.warning("early reply dropped: the handler has already returned")
            return Done()
        sent = self._node.sent(self._call, response) if self._call.output else self._node.encode(response)
        self._replied = True
        self._call.reply(*sent)
        return Done()

    reply = early_reply

    def send(self, message):
        """Send message, of the type that the rpc returns as a stream, to the client now; the handler continues.

        It waits while the client does not read. If the client no longer waits, the handler is cancelled:
        asyncio.CancelledError is raised in it, and by send in a thread or task that goes on after the handler.
        After an early reply nothing is sent. Every node of the workflow may send; what the handler of the last
        one yields is sent in the same way.
        """
        if self._call is None:
            raise RuntimeError("ctx.send: there is no request in init")
        if not self._node.sends(message):
            raise TypeError("ctx.send takes a protobuf message, not %s" % type(message).__name__)
        self._send(message)
        return Done()

    def _send(self, message):
        call = self._call
        if not call.output:
            raise RuntimeError("cannot send: %s" % streams.UNARY)
        if logs.current.call is not call:
            if not call.late:
                call.late = True
                self.logger.warning("message dropped: the handler has already returned")
            raise asyncio.CancelledError("the handler has already returned")
        if not call.replied:
            call.send(*self._node.sent(call, message))

    def early_exit(self, response=None):
        """Send the handler's message (or response) to the client: no further node runs."""
        if self._call is None:
            raise RuntimeError("ctx.early_exit: there is no request in init")
        self._exit = True
        if response is not None:
            self._exit_message = response
        return Done()

    set_early_exit = early_exit

    @property
    def workflow(self):
        """Name of the workflow of this call; in init that of the node, if it has only one."""
        return self._node.workflow if self._call is None else self._call.workflow

    @property
    def request_id(self):
        """Id of the request, the same in all nodes; empty in init."""
        return "" if self._call is None else self._call.correlation_id

    def get_request_id(self):
        """The same as request_id."""
        return self.request_id

    @property
    def mirrored(self):
        """Whether the request is a copy of one that another version has served: nobody reads its response.

        What is saved by ctx.measurement and ctx.prediction is marked; other side effects happen
        a second time unless the handler leaves them out.
        """
        return self._call is not None and self._call.mirrored

    @property
    def node(self):
        """Name of the node."""
        return self._node.name

    @property
    def version(self):
        """Name of the version."""
        return self._node.version

    @property
    def traceparent(self):
        """W3C traceparent that the handler's own spans and requests continue: its parent is the span of this run of the handler.

        Empty if the request is not traced, and in init.
        """
        return "" if self._call is None else self._call.traceparent

    trace_parent = traceparent  # an older name

    @property
    def deadline(self):
        """When the client stops waiting (aware datetime, UTC); None if it has no deadline."""
        if self._call is None or not self._call.deadline_ns:
            return None
        return datetime.datetime.fromtimestamp(self._call.deadline_ns / 1e9, datetime.timezone.utc)

    def __getattr__(self, name):
        if name in ("send_output", "send_any", "send_early_reply", "send_early_exit"):
            raise AttributeError(
                "ctx.%s belongs to runner 3 (KRT v2): this node needs a handler that returns its message" % name
            )
        try:
            return self.__dict__["_node"].values[name]  # set by ctx.set_value
        except KeyError:
            raise AttributeError("ctx has no %r" % name) from None


class Shared(Context):
    """The context of a dict node: its runner had one for all calls, so what a call sets is there in the next."""

    _OF_CALL = ("_call", "_exit", "_exit_message", "_replied")

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name not in self._OF_CALL and self.__dict__.get("_call") is not None:
            object.__setattr__(self._node.initial, name, value)


class Call:
    """One request of the front. `output` is the name of the messages that a streaming rpc returns, else empty."""

    __slots__ = ("sequence", "channel", "deadline_ns", "background_ns", "replied", "mirrored", "workflow", "correlation_id",
                 "traceparent", "message", "output", "data", "late")

    def __init__(self, channel, sequence, payload):
        self.channel = channel
        self.sequence = sequence
        head = frames.REQUEST_HEAD
        self.deadline_ns, self.background_ns, flags, workflow, correlation, trace, message, output = head.unpack_from(payload)
        self.replied = bool(flags & frames.FLAG_REPLIED)
        self.mirrored = bool(flags & frames.FLAG_MIRROR)
        at = head.size
        self.workflow = payload[at:at + workflow].decode()
        at += workflow
        self.correlation_id = payload[at:at + correlation].decode()
        at += correlation
        self.traceparent = payload[at:at + trace].decode()
        at += trace
        self.message = payload[at:at + message].decode()
        at += message
        self.output = payload[at:at + output].decode()
        self.data = payload[at + output:]
        self.late = False  # a message was sent after the handler

    def reply(self, name, data):
        name = name.encode()
        self.replied = True
        self.channel.send_whole(frames.EARLY_REPLY, self.sequence, frames.NAME_HEAD.pack(len(name)), name, data)
        if self.background_ns:  # the client no longer waits
            self.deadline_ns = time.time_ns() + self.background_ns
            self.background_ns = 0

    def send(self, name, data):
        name = name.encode()
        self.channel.send_whole(frames.SEND, self.sequence, frames.NAME_HEAD.pack(len(name)), name, data)
