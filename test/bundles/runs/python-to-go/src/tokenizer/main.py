import re

from public_input_pb2 import Request, Tokens


def init(ctx):
    ctx.set("words", re.compile(r"\w+"))


async def handler(ctx, data):
    req = Request()
    data.Unpack(req)
    ctx.logger.info("tokenizing " + str(len(req.text)) + " characters")

    tokens = Tokens()
    tokens.words.extend(ctx.get("words").findall(req.text))
    return tokens
