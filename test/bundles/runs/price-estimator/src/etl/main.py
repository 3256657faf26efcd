import json
from typing import Dict

from internal_nodes_pb2 import EtlOutput
from public_input_pb2 import Request, Response


def init(ctx) -> None:
    print("[etl init]")
    path = ctx.path("models/encoder.json")
    ctx.logger.info(f"Loading encoder from {path}")
    with open(path) as f:
        ctx.set("encoder", json.load(f))


async def handler(ctx, data):
    req = Request()
    data.Unpack(req)

    encoder: Dict = ctx.get("encoder")
    if req.neighbourhood not in encoder["neighbourhood"]:
        ctx.logger.warning(f"Neighbourhood {req.neighbourhood} not known")
        await ctx.prediction.save(error=ctx.prediction.ERR_NEW_LABELS)
        ctx.early_exit()
        res = Response()
        res.success = False
        res.message = f"Neighbourhood {req.neighbourhood} is not known"
        return res

    res = EtlOutput()
    res.request.CopyFrom(req)
    res.model_input.room_type = encoder["room_type"][req.room_type]
    res.model_input.neighbourhood = encoder["neighbourhood"][req.neighbourhood]
    res.model_input.bedrooms = req.bedrooms
    res.model_input.bathrooms = req.bathrooms
    res.model_input.tv = bool(req.tv)
    return res
