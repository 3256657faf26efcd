from datetime import datetime

from public_input_pb2 import Response, Ticket


def init(ctx):
    ctx.set("reply", "Somebody is on the way to {}")


async def handler(ctx, data):
    req = Ticket()
    data.Unpack(req)

    if req.urgent:
        res = Response()
        res.text = ctx.get("reply").format(req.asset)
        await ctx.reply(res)

    if req.predicted == "":
        await ctx.prediction.save(error=ctx.prediction.ERR_MISSING_VALUES)
        ctx.set_early_exit()
        res = Response()
        res.text = "Nothing was predicted"
        return res

    date = datetime.utcfromtimestamp(req.closed)
    await ctx.prediction.save(date, req.predicted, req.real)
    return req
