import logging
import types
import unittest

from google.protobuf.any_pb2 import Any

import main
from public_input_pb2 import Request


def packed(message):
    data = Any()
    data.Pack(message)
    return data


class GreeterTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        values = {}
        self.ctx = types.SimpleNamespace(
            logger=logging.getLogger("py-greeter"), set=values.__setitem__, get=values.get
        )
        await main.init(self.ctx)

    async def test_greets_by_name(self):
        answer = await main.handler(self.ctx, packed(Request(name="Ada")))
        self.assertEqual(answer.greeting, "Hello, Ada!")
        self.assertEqual(answer.greeted_by, "py-greeter")

    async def test_wants_a_name(self):
        with self.assertRaisesRegex(ValueError, "no name to greet"):
            await main.handler(self.ctx, packed(Request()))


if __name__ == "__main__":
    unittest.main()
