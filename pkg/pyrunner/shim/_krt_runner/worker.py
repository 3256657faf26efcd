"""A worker: processes the front's requests, one at a time."""

import asyncio
import functools
import inspect
import os
import signal
import sys
import threading

from _krt_runner import frames, logs, streams, tracebacks
from _krt_runner.context import Call
from _krt_runner.node import WrongOutput


class Cancelled(asyncio.CancelledError):
    """Raised in a handler whose client no longer waits, so that it can clean up."""


class Worker:
    """Serves a node's requests on a channel until that ends."""

    def __init__(self, node, channel, loop):
        self._node = node
        self._channel = channel
        channel.on_cancel = self._cancel
        self._loop = loop
        self.told_to_end = False
        self._forked = False  # this is a process that a handler has forked
        self._running = 0  # sequence number of the request whose handler runs
        self._signalled = False  # while no handler ran: the request may be about to begin
        self._task = None
        self._awaits = node.asynchronous  # the handler runs as a coroutine

    def listen(self):
        """Have cancels take effect. The front must not know of the worker before."""
        signal.signal(signal.SIGUSR1, self._on_cancel)

    def serve(self):
        """Serve until the front ends the worker, or is gone itself."""
        if self._node.asynchronous or busy(self._loop) or asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(self._serve_async())
        else:
            self._serve()

    def _on_cancel(self, signum, frame):
        sequence = self._running
        if not sequence:
            self._signalled = True
            return
        if not self._channel.cancels(sequence):
            return
        self._channel.cancelled = sequence
        if not self._channel.holding:  # else it calls _cancel later
            self._cancel(sequence)

    def _begin(self, sequence):
        """The handler of that request runs from now on, unless it has been cancelled already."""
        self._running = sequence
        if self._signalled:
            self._signalled = False
            self._on_cancel(0, None)

    def _cancel(self, sequence):
        """Cancel the handler, once: raise Cancelled in it, or cancel its task if that waits."""
        if self._running != sequence:
            return
        # A coroutine that blocks is not at an await, where cancelling would reach it.
        if self._task is None or not self._awaits or asyncio.current_task(self._loop) is self._task:
            self._running = 0
            raise Cancelled()
        # threadsafe, because a signal handler must wake the loop.
        self._loop.call_soon_threadsafe(self._cancel_task, sequence)

    def _cancel_task(self, sequence):
        if self._running == sequence:
            self._running = 0
            self._task.cancel()

    def _next(self):
        """The next request, None at the end. A cancel that arrives too late is dropped."""
        while True:
            frame = self._channel.read()
            if frame is None:
                return None
            kind, sequence, payload = frame
            if kind == frames.REQUEST:
                return Call(self._channel, sequence, payload)
            if kind == frames.END:
                self.told_to_end = True
                return None

    def _serve(self):
        node = self._node
        handler = node.handler
        while True:
            call = self._next()
            if call is None:
                return
            logs.current.call = call
            try:
                ctx = node.context(call)
                try:
                    self._begin(call.sequence)
                    value = handler(ctx, node.data(call))
                    if inspect.isawaitable(value):
                        value = self._finish(value)
                    if call.output:
                        value = self._drain(ctx, value)
                finally:
                    self._running = 0
                response = (frames.RESULT, call.sequence, *node.result(ctx, value))
            except BaseException as error:
                response = self._failure(call, error)
            self._respond(response)

    def _finish(self, awaitable):
        """Await what a plain function returned."""
        try:
            self._channel.whole(self._running, self._start, awaitable)
            return self._loop.run_until_complete(self._task)
        finally:
            self._task, self._awaits = None, False

    def _start(self, awaitable):
        """Make the task, which a cancel must find: it would run later, during another request."""
        self._task = self._loop.create_task(wait(awaitable))
        self._awaits = True

    def _drain(self, ctx, value):
        """Send what the handler yields, if value is a generator; return its result."""
        send = functools.partial(self._node.yielded, ctx)
        if inspect.isgenerator(value):
            return streams.drain(value, send)
        if inspect.isasyncgen(value):
            return self._finish(streams.drain_async(value, send))
        return value

    async def _serve_async(self):
        """_serve while the loop runs: for a handler that awaits, or tasks of init that are still running.

        The handler runs in this task: one task for all requests costs nothing for
        handlers that never wait.
        """
        node = self._node
        handler = node.handler
        is_coroutine = node.asynchronous and not node.yields
        self._task = asyncio.current_task()
        while True:
            if not self._channel.buffered and busy(self._loop):
                await readable(self._loop, self._channel.reads)
            call = self._next()
            if call is None:
                return
            logs.current.call = call
            try:
                ctx = node.context(call)
                try:
                    self._begin(call.sequence)
                    value = handler(ctx, node.data(call))
                    if is_coroutine:
                        value = await value
                    elif inspect.isawaitable(value):
                        value = await self._wait(value)
                    if call.output:
                        value = await self._drain_async(ctx, value)
                finally:
                    self._running = 0
                response = (frames.RESULT, call.sequence, *node.result(ctx, value))
            except BaseException as error:
                response = self._failure(call, error)
            self._respond(response)

    async def _wait(self, awaitable):
        """Await what a plain function returned, in the loop that runs."""
        self._awaits = True
        try:
            return await awaitable
        finally:
            self._awaits = self._node.asynchronous

    async def _drain_async(self, ctx, value):
        """_drain in the loop that runs."""
        if not inspect.isasyncgen(value):
            return self._drain(ctx, value)
        return await self._wait(streams.drain_async(value, functools.partial(self._node.yielded, ctx)))

    def leave(self):
        """Called in a process that the handler has forked: it must not serve requests."""
        self._forked = True
        self._channel.close()

    def _respond(self, response):
        logs.finish()
        if self._forked:
            os._exit(0)
        logs.current.call = None
        self._channel.send(*response)

    def _failure(self, call, error):
        """The frame for what the handler raised: cancelled, or failed."""
        if isinstance(error, asyncio.CancelledError) and self._channel.cancelled == call.sequence:
            if hasattr(self._task, "uncancel"):
                self._task.uncancel()
            return frames.CANCELLED, call.sequence
        if self._forked:
            if not isinstance(error, SystemExit):
                logs.emit("E", tracebacks.text(error))
            logs.finish()
            os._exit(error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1)
        code = frames.HANDLER_ERROR
        text = tracebacks.summary(error)
        name = b""
        if isinstance(error, WrongOutput):
            code = error.code
        else:
            name = frames.clip(tracebacks.name(error), 200)
            logs.emit("T", tracebacks.text(error))
        return frames.ERROR, call.sequence, bytes((code, len(name))), name, frames.clip(text, 32768)


async def wait(awaitable):
    """Await any awaitable in a coroutine."""
    return await awaitable


def new_loop():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def busy(loop):
    """Report whether loop has more to do, or to watch, than the current task, or may get more from a thread.

    If not, the task may block on its socket instead of going through the loop.
    Loops that are not asyncio's own count as busy.
    """
    if getattr(loop, "_ready", True) or getattr(loop, "_scheduled", True) or threading.active_count() > 1:
        return True
    selector = getattr(loop, "_selector", None)
    if selector is None or len(selector.get_map()) > 1:  # its own wake-up pipe
        return True
    # Up to 3.11 asyncio has all tasks in one set; its length decides the usual case
    # at a fraction of the cost of all_tasks.
    tasks = getattr(asyncio.tasks, "_all_tasks", ()) if sys.version_info < (3, 12) else ()
    return len(tasks) != 1 and len(asyncio.all_tasks(loop)) > 1


async def readable(loop, file):
    """Wait until the file with that number can be read."""
    ready = loop.create_future()

    def wake():
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(file, wake)
    try:
        await ready
    finally:
        loop.remove_reader(file)
