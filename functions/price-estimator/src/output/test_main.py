import logging
import os
import pathlib
import types
import unittest
from unittest import mock

from google.protobuf.any_pb2 import Any

import main
from internal_nodes_pb2 import ModelOutput
from public_input_pb2 import Request

BUNDLE = pathlib.Path(__file__).resolve().parents[2]


class OutputTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        values = {}
        self.saved = []
        self.ctx = types.SimpleNamespace(
            logger=logging.getLogger("output"),
            path=lambda relative: str(BUNDLE / relative),
            set=values.__setitem__,
            get=values.get,
            measurement=types.SimpleNamespace(save=lambda *args: self.saved.append(args)),
        )

    def configure(self, currency):
        with mock.patch.dict(os.environ, OUTPUT_PRICE_CURRENCY=currency):
            main.init(self.ctx)

    async def test_answers_in_the_configured_currency(self):
        self.configure("EUR")
        data = Any()
        data.Pack(ModelOutput(request=Request(borough="Bronx"), price=100, category="mid"))
        answer = await main.handler(self.ctx, data)
        self.assertTrue(answer.success)
        self.assertEqual((answer.price, answer.currency), (92, "EUR"))
        self.assertEqual(answer.category, "mid")
        self.assertEqual(
            self.saved,
            [
                (
                    "room_price",
                    {"price_usd": 100, "accommodates": 0},
                    {"borough": "Bronx", "category": "mid"},
                )
            ],
        )

    def test_names_the_currencies_it_knows(self):
        with self.assertRaisesRegex(ValueError, "no rate for 'XXX', only for EUR, GBP"):
            self.configure("XXX")


if __name__ == "__main__":
    unittest.main()
