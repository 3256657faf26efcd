"""Tests the handler of a node without a runner:

    from krt.testing import Context, call
    import main

    ctx = Context()
    response = call(main.handler, Request(name="x"), ctx=ctx, init=main.init)
    assert response.greeting == "Hello x"

What the handler does through its context is kept in ctx: `sent`, `replies`,
`early_exited`, `measurements`, `predictions`, `documents`.

A handler of a streaming rpc may yield:

    assert [token.text for token in stream(main.handler, Prompt(text="x"))] == ["a", "b"]
"""

import asyncio
import functools
import inspect
import os

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from _krt_runner import logs, saves, store, streams
from _krt_runner import context as real
from _krt_runner.node import Node, WrongOutput
from krt._store import Store

# The W3C traceparent of every call: what ctx.traceparent is.
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class _Node:
    def __init__(self, base_path, workflow, logger):
        self.name, self.version = "node", "test"
        self.workflow = workflow
        self.base_path = os.path.abspath(base_path)
        self.logger = logger
        self.values = {}
        self.store = Store()
        self.measurement = saves.Measurement(self.store, logger)
        self.prediction = saves.Prediction(self.store, logger)
        self.db = store.DB(self.store)
        self.dicts = True  # as a handler that takes dicts, until call knows better

    sends, yielded = Node.sends, Node.yielded

    def encode(self, value):
        return "", b""

    def sent(self, call, value):
        first = call.sent[0] if call.sent else value
        if isinstance(first, Message) and isinstance(value, Message) and first.DESCRIPTOR is not value.DESCRIPTOR:
            names = value.DESCRIPTOR.full_name, first.DESCRIPTOR.full_name
            raise WrongOutput("cannot send: the message is a %s, the one before it a %s" % names)
        return "", value


class _Call:
    output = "any message"

    def __init__(self, workflow, mirrored):
        self.sent = []
        self.replied = self.late = False
        self.deadline_ns = 0
        self.workflow = workflow
        self.correlation_id = ""
        self.mirrored = mirrored
        self.traceparent = TRACEPARENT

    def reply(self, name, data):
        self.replied = True

    def send(self, name, message):
        self.sent.append(message)


class Context(real.Context):
    """The context of a handler that records what the handler does with it."""

    def __init__(self, base_path=".", workflow="test", logger=None, mirrored=False):
        node = _Node(base_path, workflow, logger or logs.logger("test-node"))
        super().__init__(node, _Call(workflow, mirrored))
        self.sent = self._call.sent
        self.replies = []
        self.measurements = node.store.measurements
        self.predictions = node.store.predictions
        self.documents = node.store.documents

    @property
    def early_exited(self):
        """Whether the handler asked for an early exit."""
        return self._exit

    def early_reply(self, response):
        done = super().early_reply(response)
        self.replies.append(response)
        return done

    reply = early_reply


def call(handler, message, ctx=None, init=None):
    """Run handler for message as a runner would, and return its result.

    Handler and init may be async or not. ctx is a Context; a new one if None.
    A handler that takes dicts gets message itself, unless that is a protobuf message.
    What the handler yields, and what it sends by ctx.send, is in ctx.sent.
    """
    ctx = ctx or Context()
    data = message
    if isinstance(message, Message):
        ctx._node.dicts = False
        data = Any(type_url="type.googleapis.com/" + message.DESCRIPTOR.full_name, value=message.SerializeToString())

    async def run():
        if init is not None:
            await _value(init(ctx))
        value = await _value(handler(ctx, data))
        send = functools.partial(ctx._node.yielded, ctx)
        if inspect.isasyncgen(value):
            return await streams.drain_async(value, send)
        return streams.drain(value, send) if inspect.isgenerator(value) else value

    before = logs.current.call
    logs.current.call = ctx._call
    try:
        return asyncio.run(run())
    finally:
        logs.current.call = before


def stream(handler, message, ctx=None, init=None):
    """Run handler for message as the last node of a streaming rpc, and return the list of messages that the client gets.

    These are the messages that it sends and yields, then what it returns, unless that is None; an early reply is
    the last. The arguments are those of call.
    """
    ctx = ctx or Context()
    last = call(handler, message, ctx, init)
    if ctx.replies:
        last = ctx.replies[0]
    elif last is None:
        last = ctx._exit_message
    return ctx.sent if last is None else [*ctx.sent, last]


async def _value(result):
    return await result if inspect.isawaitable(result) else result
