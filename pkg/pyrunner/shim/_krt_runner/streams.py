"""Handlers that yield: what they yield goes to the client, what they return to the next node."""

import functools
import inspect

UNARY = "the rpc returns one message, not a stream (or an earlier node of the Sequence was built before streams)"


def is_generator(value):
    return inspect.isgenerator(value) or inspect.isasyncgen(value)


def drain(values, send):
    """Send what a generator yields; return what it returns.

    What ends this, a cancel or a message that cannot be sent, is raised in the generator at
    its yield, so that it can clean up, and its traceback names the line.
    """
    resume = values.__next__
    while True:
        try:
            while True:
                send(resume())
                resume = values.__next__
        except StopIteration as end:
            return end.value
        except BaseException as error:
            if values.gi_frame is None:  # it is the generator's own
                raise
            resume = functools.partial(values.throw, error)


async def drain_async(values, send):
    """drain for an asynchronous generator, which returns nothing."""
    resume = values.__anext__
    while True:
        try:
            while True:
                send(await resume())
                resume = values.__anext__
        except StopAsyncIteration:
            return None
        except BaseException as error:
            if values.ag_frame is None:
                raise
            resume = functools.partial(values.athrow, error)
