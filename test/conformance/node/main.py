"""The conformance node in Python: does what the request orders. See node.go."""

import asyncio
import os
import signal
import tempfile

from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue

import conformance_pb2 as pb

FOLDER = os.environ.get("CONFORMANCE_DIR") or tempfile.gettempdir()
GATE_TICK = 0.002


class Panic(BaseException):
    """As near to a Go panic as Python comes."""


async def handler(ctx, data):
    # An empty request makes the first node reply; no other reply comes this way.
    if data.TypeName() == "conformance.Reply" and not data.value:
        return pb.Reply()
    request = pb.Request()
    if not data.Unpack(request):
        raise TypeError("message is no conformance.Request but %s" % data.TypeName())
    records = Records(ctx.node, request.id)
    run = records.run()
    orders = [o for o in request.orders if o.node == ctx.node and (not o.times or run <= o.times)]
    for i, order in enumerate(orders):
        if order.act == pb.YIELD:
            return yields(ctx, request, orders[i:], records)
        over, out = await obey(ctx, request, order, records)
        if over:
            return out
    return following(ctx, request)


async def yields(ctx, request, orders, records):
    """Obey the orders, of which those to yield give the messages."""
    for order in orders:
        if order.act != pb.YIELD:
            over, out = await obey(ctx, request, order, records)
            if out is not None:
                yield out
            if over:
                return
            continue
        for message in messages(order):
            try:
                yield message
            except asyncio.CancelledError:
                records.note("cancelled")
                raise
            records.sent(order)


def generate(order, records):
    """Yield messages and return one."""
    for message in messages(order):
        yield message
        records.sent(order)
    return pb.Reply(text=order.text)


def messages(order):
    for i in range(order.number):
        yield pb.Reply(text="%s-%d" % (order.text, i), payload=bytes(order.size))


async def obey(ctx, request, order, records):
    """Do one order; over ends the handler with out."""
    act = order.act
    if act == pb.EARLY_REPLY:
        ctx.early_reply(pb.Reply(text=order.text))
    elif act == pb.EXIT:
        ctx.early_exit()
        return True, pb.Reply(text=order.text)
    elif act == pb.FAIL:
        raise ValueError(order.text)
    elif act == pb.PANIC:
        raise Panic(order.text)
    elif act == pb.WRONG:
        return True, StringValue(value=order.text)
    elif act == pb.NONE:
        return True, None
    elif act == pb.WAIT:
        while not os.path.exists(gate(order.text)):
            await asyncio.sleep(GATE_TICK)
    elif act == pb.HANG:
        try:
            await asyncio.sleep(3600)
        finally:
            records.note("cancelled")
    elif act == pb.DIE:
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == pb.GROW:
        request.payload = bytes(order.number)
    elif act == pb.SEND:
        for message in messages(order):
            try:
                await ctx.send(message)
            except asyncio.CancelledError:
                records.note("cancelled")
                raise
            records.sent(order)
    elif act == pb.SEND_WRONG:
        await ctx.send(StringValue(value=order.text))
    elif act == pb.GENERATE:
        return True, generate(order, records)
    elif act == pb.TELL:
        return True, pb.Reply(text="\n".join(Records(ctx.node, order.text).lines()))
    elif act == pb.OPEN:
        os.makedirs(os.path.dirname(gate(order.text)), exist_ok=True)
        open(gate(order.text), "w").close()
        return True, pb.Reply()
    elif act != pb.PASS:
        raise ValueError("a Python node cannot %s" % pb.Act.Name(act))
    return False, None


def following(ctx, request):
    """What the node hands on: the request, or the reply if it is the last."""
    if request.id:
        visit = request.visits.add(
            node=ctx.node, version=ctx.version, workflow=ctx.workflow,
            request_id=ctx.request_id, trace_parent=ctx.traceparent, mirrored=ctx.mirrored,
        )
        if ctx.deadline is not None:
            at = Timestamp()
            at.FromDatetime(ctx.deadline.replace(tzinfo=None))
            visit.deadline.CopyFrom(at)
    if request.last and request.last != ctx.node:
        return request
    return pb.Reply(payload=request.payload, visits=request.visits)


def gate(name):
    return os.path.join(FOLDER, "gates", os.path.basename(name))


class Records:
    """What a node notes of a call, in a file that all its processes share."""

    def __init__(self, node, id):
        self._path = os.path.join(FOLDER, node, os.path.basename(id)) if id else ""

    def run(self):
        """Note a run; how many there have been by now."""
        if not self._path:
            return 1
        self.note("run ")
        return sum(line.startswith("run ") for line in self.lines())

    def note(self, line):
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        with open(self._path, "a") as file:
            file.write(line + "\n")

    def sent(self, order):
        """Note a message that was sent, if it has a payload."""
        if order.size:
            self.note("sent")

    def lines(self):
        try:
            with open(self._path) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []
