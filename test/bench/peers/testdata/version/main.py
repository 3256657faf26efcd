import os

from echo_pb2 import Text

from work import work

rounds = int(os.environ["WORK"])


async def handler(ctx, data):
    message = Text()
    data.Unpack(message)
    work(rounds)
    return message
