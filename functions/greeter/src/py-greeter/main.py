"""A node in Python: it greets whoever the request names."""

from public_input_pb2 import Request, Response


async def init(ctx):
    """Runs once per process, before the node is ready."""
    ctx.set("greeting", "Hello")


async def handler(ctx, data):
    req = Request()
    data.Unpack(req)
    if not req.name:
        raise ValueError("no name to greet")

    ctx.logger.info(f"greeting {req.name}")
    return Response(
        greeting=f"{ctx.get('greeting')}, {req.name}!", greeted_by="py-greeter"
    )
