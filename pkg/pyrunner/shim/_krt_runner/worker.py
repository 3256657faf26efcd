"""A worker: answers the front's requests, one at a time."""

import asyncio
import inspect
import os
import signal
import sys
import threading

from _krt_runner import frames, logs, trace
from _krt_runner.context import Call
from _krt_runner.node import WrongOutput


class Cancelled(BaseException):
    """Raised in a handler that nobody waits for any more, so that it cleans up."""


class Worker:
    """Serves a node's requests on a channel until that ends."""

    def __init__(self, node, channel, loop):
        self._node = node
        self._channel = channel
        self._loop = loop
        self.told_to_end = False
        self._forked = False  # this is a process that a handler has forked
        self._running = 0  # sequence number of the request whose handler runs
        self._cancelled = 0  # of the request cancelled last
        self._task = None
        self._awaits = node.asynchronous  # the handler runs as a coroutine

    def serve(self):
        """Serve until the front says that this is the end, or is gone itself."""
        signal.signal(signal.SIGUSR1, self._on_cancel)
        if self._node.asynchronous or busy(self._loop) or asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(self._serve_async())
        else:
            self._serve()

    def _on_cancel(self, signum, frame):
        sequence = self._running
        if not sequence or not self._channel.cancels(sequence):
            return
        self._cancelled = sequence
        # A coroutine that blocks is not at an await, where cancelling would reach it.
        if self._task is None or not self._awaits or asyncio.current_task(self._loop) is self._task:
            self._running = 0
            raise Cancelled()
        # threadsafe: from a signal handler the loop must be woken.
        self._loop.call_soon_threadsafe(self._cancel_task, sequence)

    def _cancel_task(self, sequence):
        if self._running == sequence:
            self._task.cancel()

    def _next(self):
        """The next request, None at the end. A cancel that came too late is dropped."""
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
                    self._running = call.sequence
                    value = handler(ctx, node.data(call))
                    if inspect.isawaitable(value):
                        value = self._finish(value)
                finally:
                    self._running = 0
                answer = (frames.RESULT, call.sequence, *node.result(ctx, value))
            except Cancelled:
                answer = (frames.CANCELLED, call.sequence)
            except BaseException as error:
                answer = self._failure(call, error)
            self._answer(answer)

    def _finish(self, awaitable):
        """Await what a plain function returned."""
        return self._loop.run_until_complete(wait(awaitable))

    async def _serve_async(self):
        """Serve with the loop running: for a handler that waits, or tasks of init that go on.

        The handler runs in this very task: one task for all requests costs
        nothing for the handlers that never wait.
        """
        node = self._node
        handler = node.handler
        self._task = asyncio.current_task()
        while True:
            if not self._channel.buffered and busy(self._loop):
                await readable(self._loop, self._channel.sock)
            call = self._next()
            if call is None:
                return
            logs.current.call = call
            try:
                ctx = node.context(call)
                try:
                    self._running = call.sequence
                    value = handler(ctx, node.data(call))
                    if self._awaits:
                        value = await value
                    elif inspect.isawaitable(value):
                        value = await self._wait(value)
                finally:
                    self._running = 0
                answer = (frames.RESULT, call.sequence, *node.result(ctx, value))
            except Cancelled:
                answer = (frames.CANCELLED, call.sequence)
            except asyncio.CancelledError as error:
                if self._cancelled == call.sequence:
                    if hasattr(self._task, "uncancel"):
                        self._task.uncancel()
                    answer = (frames.CANCELLED, call.sequence)
                else:
                    answer = self._failure(call, error)
            except BaseException as error:
                answer = self._failure(call, error)
            self._answer(answer)

    async def _wait(self, awaitable):
        """Await what a plain function returned, in the loop that runs."""
        self._awaits = True
        try:
            return await awaitable
        finally:
            self._awaits = False

    def leave(self):
        """Called in a process that the handler has forked: requests are not its business."""
        self._forked = True
        self._channel.sock.close()

    def _answer(self, answer):
        logs.finish()
        if self._forked:
            os._exit(0)
        logs.current.call = None
        self._channel.send(*answer)

    def _failure(self, call, error):
        if self._forked:
            if not isinstance(error, SystemExit):
                logs.emit("E", trace.text(error))
            logs.finish()
            os._exit(error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1)
        code = frames.HANDLER_ERROR
        text = trace.summary(error)
        name = b""
        if isinstance(error, WrongOutput):
            code = error.code
        else:
            name = frames.clip(trace.name(error), 200)
            logs.emit("T", trace.text(error))
        return frames.ERROR, call.sequence, bytes((code, len(name))), name, frames.clip(text, 32768)


async def wait(awaitable):
    """Await what only may be awaited, as a coroutine."""
    return await awaitable


def new_loop():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def busy(loop):
    """Report whether loop has more to do, or to watch, than the task that asks, or may get it from a thread.

    If not, the task may block on its socket instead of going through the loop.
    Loops that are not asyncio's own are taken for busy.
    """
    if getattr(loop, "_ready", True) or getattr(loop, "_scheduled", True) or threading.active_count() > 1:
        return True
    selector = getattr(loop, "_selector", None)
    if selector is None or len(selector.get_map()) > 1:  # its own wake-up pipe
        return True
    # Up to 3.11 asyncio holds all tasks in one set; its length tells the usual
    # case at a fraction of what all_tasks costs.
    tasks = getattr(asyncio.tasks, "_all_tasks", ()) if sys.version_info < (3, 12) else ()
    return len(tasks) != 1 and len(asyncio.all_tasks(loop)) > 1


async def readable(loop, sock):
    """Wait until sock can be read."""
    ready = loop.create_future()

    def wake():
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, wake)
    try:
        await ready
    finally:
        loop.remove_reader(sock)
