"""The orderly end of a process that ran init; the front bounds the time it takes."""

import asyncio
import atexit
import signal

from _krt_runner import logs, tracebacks


def run(loop):
    """Do what the node asked for: its handler of SIGTERM, its tasks' clean-up, its atexit functions.

    Threads are not waited for: one that never ends would hold up every stop.
    """
    steps = [_terminate, _cancel] if loop is not None else [_raise]
    for step in steps:
        try:
            step(loop)
        except SystemExit:
            pass  # what most handlers of SIGTERM do
        except BaseException as error:
            logs.emit("E", tracebacks.text(error))
    try:
        atexit._run_exitfuncs()  # logs what goes wrong in each
    except BaseException:
        pass
    logs.finish()


def _raise(loop):
    if callable(signal.getsignal(signal.SIGTERM)):
        signal.raise_signal(signal.SIGTERM)


def _terminate(loop):
    """Run init's handler of SIGTERM, one of the loop's too, with the tasks that it makes."""
    if not callable(signal.getsignal(signal.SIGTERM)):
        return
    before = asyncio.all_tasks(loop)

    async def terminate():
        _raise(loop)
        for _ in range(5):  # the loop's own handlers come by way of its wake-up pipe
            await asyncio.sleep(0)
        made = asyncio.all_tasks(loop) - before - {asyncio.current_task()}
        await asyncio.gather(*made, return_exceptions=True)

    loop.run_until_complete(terminate())


def _cancel(loop):
    """End what still runs in the loop, as asyncio.run does."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
