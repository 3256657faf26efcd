from public_input_pb2 import Text


async def handler(ctx, data):
    req = Text()
    data.Unpack(req)
    if not req.text:
        ctx.set_early_exit()
        return Text(text="(silence)")
    res = Text()
    res.text = req.text.lower() + "..."
    return res
