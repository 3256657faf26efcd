"""First step: finds the fables about an animal, and reports its progress to the client."""

from internal_nodes_pb2 import Task
from public_input_pb2 import Chunk, Prompt


def init(ctx):
    with open(ctx.path("assets/fables.txt"), encoding="utf-8") as file:
        ctx.set("fables", file.read().strip().split("\n\n"))


async def handler(ctx, data):
    prompt = Prompt()
    data.Unpack(prompt)
    animal = prompt.about.strip()
    if not animal:
        raise ValueError("about: name an animal, such as fox")

    fables = ctx.get("fables")
    # This goes to the client now; the workflow continues.
    await ctx.send(Chunk(progress=f"Reading {len(fables)} fables"))
    found = [fable for fable in fables if animal in fable.split()]
    if not found:
        # The client's stream ends with this message, and node model does not run.
        ctx.early_exit()
        return Chunk(progress=f"No fable is about the {animal}")

    await ctx.send(Chunk(progress=f"{len(found)} of them are about the {animal}"))
    return Task(fables=found, start=f"The {animal}", max_words=prompt.max_words or 40, seed=prompt.seed)
