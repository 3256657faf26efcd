from datetime import datetime

from public_input_pb2 import SaveMetricsRequest, SaveMetricsResponse


async def handler(ctx, data):
    req = SaveMetricsRequest()
    data.Unpack(req)

    date = datetime.utcfromtimestamp(req.date)
    # Written for kre-py before 1.20: date, predicted, real.
    await ctx.prediction.save(
        date.isoformat(), req.predicted_category, req.real_category
    )
    # Written for kre-py after it: predicted, real, extra, date.
    await ctx.prediction.save(
        req.predicted_category, req.real_category, {"source": "monthly"}, date
    )

    await ctx.db.save(
        "metrics",
        {"real": req.real_category, "when": {"year": date.year, "month": date.month}},
    )
    saved = await ctx.db.find("metrics", {"real": req.real_category})

    res = SaveMetricsResponse()
    res.success = True
    res.message = f"Metric saved, {len(saved)} of {req.real_category}"
    return res
