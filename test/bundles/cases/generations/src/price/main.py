# Generation C: messages, here unpacked from the dict of the node before.
from public_input_pb2 import Offer


async def handler(ctx, data):
    offer = Offer()
    if not data.Unpack(offer):
        raise Exception("not an offer")
    offer.price *= offer.beds
    return offer
