import os
import signal

from public_input_pb2 import Request, Response


async def handler(ctx, data):
    req = Request()
    data.Unpack(req)
    try:
        open(req.marker, "x").close()
    except FileExistsError:
        return Response(text="second")
    os.kill(os.getpid(), signal.SIGKILL)
