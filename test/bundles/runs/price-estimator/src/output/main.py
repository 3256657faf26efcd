import os

from google.protobuf.json_format import MessageToDict
from internal_nodes_pb2 import ModelOutput
from public_input_pb2 import Response

MEASUREMENT = "features"
MEASUREMENT_TAGS = {"version": 1}

PRICE_RANGES = ("10-90", "91-180", "181-400", "+401")
PRICE_LABELS = ("low", "mid", "high", "lux")


async def init(ctx):
    ctx.set("currency", os.getenv("OUTPUT_PRICE_CURRENCY"))


async def handler(ctx, data):
    req = ModelOutput()
    data.Unpack(req)

    label = PRICE_LABELS[req.price_category]
    fields = MessageToDict(req.request, preserving_proto_field_name=True)
    fields["prediction"] = label
    ctx.measurement.save(MEASUREMENT, fields, MEASUREMENT_TAGS)

    res = Response()
    res.success = True
    res.message = "Predicted market price"
    res.market_price = f"{PRICE_RANGES[req.price_category]} {ctx.get('currency')}"
    res.category = label
    return res
