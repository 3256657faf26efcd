from datetime import datetime, timezone

from public_input_pb2 import Response, Ticket


async def init(ctx):
    ctx.set("labels", ["repair", "replace"])


async def handler(ctx, data):
    req = Ticket()
    data.Unpack(req)

    date = datetime.fromtimestamp(req.closed, timezone.utc)
    if req.predicted not in ctx.get("labels"):
        await ctx.prediction.save(error=ctx.prediction.ERR_NEW_LABELS, utcdate=date)
        ctx.early_exit()
        res = Response()
        res.text = f"{req.predicted} is a new label"
        return res

    await ctx.prediction.save(req.predicted, req.real, {"asset": req.asset}, date)
    # The truth is not known before the invoice.
    await ctx.prediction.save(predicted_value=req.predicted, utcdate=date)
    await ctx.db.save("tickets", {"asset": req.asset, "predicted": req.predicted})
    return req
