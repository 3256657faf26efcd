from public_input_pb2 import Text


async def init(ctx):
    ctx.logger.info("[shout init]")


async def handler(ctx, data):
    req = Text()
    data.Unpack(req)
    res = Text()
    res.text = req.text.upper() + "!"
    return res
