import asyncio
import sys

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from work import work

rounds = int(sys.argv[2])


async def echo(request, context):
    work(rounds)
    return request


async def main():
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(
        echo, request_deserializer=StringValue.FromString, response_serializer=StringValue.SerializeToString
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("bench.Echo", {"Echo": method})])
    server.add_insecure_port("127.0.0.1:" + sys.argv[1])
    await server.start()
    await server.wait_for_termination()


asyncio.run(main())
