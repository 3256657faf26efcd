import json

from internal_nodes_pb2 import EtlOutput, ModelOutput


def init(ctx):
    ctx.logger.info("[worker init]")
    ctx.set("model", json.load(open(ctx.path("models/model.json"))))


async def handler(ctx, data):
    req = EtlOutput()
    data.Unpack(req)

    if req.model_input.bedrooms > 20:
        raise Exception("too many bedrooms for this model")

    res = ModelOutput()
    res.request.CopyFrom(req.request)
    res.price_category = predict_price_category(ctx.get("model"), req.model_input)
    return res


def predict_price_category(model, features):
    score = (
        model["room_type"][features.room_type]
        + model["neighbourhood"][features.neighbourhood]
        + model["bedrooms"] * features.bedrooms
        + model["bathrooms"] * features.bathrooms
        + model["tv"] * features.tv
    )
    return sum(1 for limit in model["limits"] if score >= limit)
