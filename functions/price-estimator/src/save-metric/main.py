"""Saves the actual category next to the predicted one."""

from public_input_pb2 import SaveMetricsRequest, SaveMetricsResponse

CATEGORIES = ("low", "mid", "high", "lux")


async def handler(ctx, data):
    req = SaveMetricsRequest()
    data.Unpack(req)

    # None is now. The store keeps UTC, and ToDatetime gives it without a zone.
    date = req.date.ToDatetime() if req.HasField("date") else None

    if not req.predicted_category or not req.true_category:
        await ctx.prediction.save(utcdate=date, error=ctx.prediction.ERR_MISSING_VALUES)
        return SaveMetricsResponse(
            message="predicted_category and true_category are both needed"
        )
    if req.true_category not in CATEGORIES:
        await ctx.prediction.save(
            predicted_value=req.predicted_category,
            true_value=req.true_category,
            utcdate=date,
            error=ctx.prediction.ERR_NEW_LABELS,
        )
        return SaveMetricsResponse(
            message=f"the model does not know the category {req.true_category!r}"
        )

    await ctx.prediction.save(
        predicted_value=req.predicted_category,
        true_value=req.true_category,
        utcdate=date,
    )
    return SaveMetricsResponse(success=True, message="saved")
