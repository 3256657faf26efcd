"""Last step: writes a text, of which the client gets each word as soon as it is there."""

import asyncio
import itertools

import chain
from internal_nodes_pb2 import Task
from public_input_pb2 import Chunk

# Seconds for each word: about as long as a small language model takes on a processor.
PAUSE = 0.02


async def handler(ctx, data):
    task = Task()
    data.Unpack(task)
    words = chain.Chain(" ".join(task.fables)).write(task.start, task.seed)
    yield Chunk(text=task.start)
    count = 0
    try:
        for word in itertools.islice(words, task.max_words):
            await asyncio.sleep(PAUSE)
            yield Chunk(text=word)
            count += 1
    finally:  # also when the client has left: then asyncio.CancelledError is raised in the loop
        ctx.measurement.save("written", {"words": count})
