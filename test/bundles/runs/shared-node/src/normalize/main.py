from public_input_pb2 import Text


async def handler(ctx, data):
    req = Text()
    data.Unpack(req)
    return Text(text=" ".join(req.text.split()))
