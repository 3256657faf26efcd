"""First step: checks the request and turns it into the model's features."""

import features
from internal_nodes_pb2 import EtlOutput
from public_input_pb2 import Request, Response

# The box around New York, in degrees.
LATITUDES = (40.45, 40.95)
LONGITUDES = (-74.30, -73.65)

ROOM_TYPES = ("Entire home", "Private room", "Shared room")


async def handler(ctx, data):
    req = Request()
    data.Unpack(req)

    error = problem(req)
    if error:
        # No room to estimate: the caller is answered from here, and model and
        # output do not run.
        ctx.logger.info(f"refused: {error}")
        ctx.early_exit()
        return Response(success=False, error=error)

    return EtlOutput(
        request=req, numbers=features.numbers(req), labels=features.labels(req)
    )


def problem(req):
    """What is wrong with req, or None."""
    if not req.borough:
        return "borough: missing"
    if req.room_type not in ROOM_TYPES:
        return f"room_type: {req.room_type!r} is none of {', '.join(ROOM_TYPES)}"
    if req.accommodates < 1:
        return "accommodates: a room takes at least one guest"
    if req.bedrooms < 0 or req.beds < 0 or req.bathrooms < 0:
        return "bedrooms, beds, bathrooms: a count cannot be negative"
    if not LATITUDES[0] <= req.latitude <= LATITUDES[1]:
        return f"latitude: {req.latitude:g} is not in New York"
    if not LONGITUDES[0] <= req.longitude <= LONGITUDES[1]:
        return f"longitude: {req.longitude:g} is not in New York"
    return None
