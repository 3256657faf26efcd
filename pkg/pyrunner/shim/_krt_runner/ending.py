"""The orderly end of a process that ran init; the front limits its time."""

import asyncio
import atexit
import signal

from _krt_runner import logs, tracebacks


def run(loop):
    """Run what the node registered: its handler of SIGTERM, the clean-up of its tasks, its atexit functions.

    It does not wait for threads: one that never ends would delay every stop.
    """
    steps = [_terminate, _cancel] if loop is not None else [_raise]
    for step in steps:
        try:
            step(loop)
        except SystemExit:
            pass  # most handlers of SIGTERM raise it
        except BaseException as error:
            logs.emit("E", tracebacks.text(error))
    try:
        atexit._run_exitfuncs()  # logs the errors of each
    except BaseException:
        pass
    logs.finish()


def _raise(loop):
    if callable(signal.getsignal(signal.SIGTERM)):
        signal.raise_signal(signal.SIGTERM)


def _terminate(loop):
    """Run init's handler of SIGTERM, also one of the loop, and the tasks that it starts."""
    if not callable(signal.getsignal(signal.SIGTERM)):
        return
    before = asyncio.all_tasks(loop)

    async def terminate():
        _raise(loop)
        for _ in range(5):  # the loop calls its own handlers through its wake-up pipe
            await asyncio.sleep(0)
        made = asyncio.all_tasks(loop) - before - {asyncio.current_task()}
        await asyncio.gather(*made, return_exceptions=True)

    loop.run_until_complete(terminate())


def _cancel(loop):
    """Cancel the tasks that still run in the loop, as asyncio.run does."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
