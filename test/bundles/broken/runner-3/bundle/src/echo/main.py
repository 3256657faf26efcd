from public_input_pb2 import Request, Response


async def default_handler(ctx, data) -> None:
    req = Request()
    data.Unpack(req)
    await ctx.send_output(Response(text=req.text))
