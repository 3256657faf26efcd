"""Last step: the response in the configured currency, and the measurements saved with it."""

import json
import os

from internal_nodes_pb2 import ModelOutput
from public_input_pb2 import Response


def init(ctx):
    currency = os.environ["OUTPUT_PRICE_CURRENCY"]
    with open(ctx.path("assets/rates.json"), encoding="utf-8") as file:
        rates = json.load(file)["per_usd"]
    if currency not in rates:
        raise ValueError(
            f"OUTPUT_PRICE_CURRENCY: no rate for {currency!r}, only for "
            + ", ".join(sorted(rates))
        )
    ctx.set("currency", currency)
    ctx.set("rate", rates[currency])


async def handler(ctx, data):
    req = ModelOutput()
    data.Unpack(req)

    currency = ctx.get("currency")
    price = round(req.price * ctx.get("rate"), 2)

    room = req.request
    ctx.measurement.save(
        "room_price",
        {"price_usd": round(req.price, 2), "accommodates": room.accommodates},
        {"borough": room.borough, "category": req.category},
    )
    return Response(
        success=True, price=price, currency=currency, category=req.category
    )
