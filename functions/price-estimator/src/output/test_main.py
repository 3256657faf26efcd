import os
import pathlib
import unittest
from unittest import mock

from krt.testing import Context, call

import main
from internal_nodes_pb2 import ModelOutput
from public_input_pb2 import Request

BUNDLE = pathlib.Path(__file__).resolve().parents[2]
ESTIMATE = ModelOutput(request=Request(borough="Bronx"), price=100, category="mid")


def response_in(currency, ctx):
    with mock.patch.dict(os.environ, OUTPUT_PRICE_CURRENCY=currency):
        return call(main.handler, ESTIMATE, ctx, init=main.init)


class OutputTest(unittest.TestCase):
    def setUp(self):
        self.ctx = Context(BUNDLE)

    def test_answers_in_the_configured_currency(self):
        response = response_in("EUR", self.ctx)
        self.assertTrue(response.success)
        self.assertEqual((response.price, response.currency), (92, "EUR"))
        self.assertEqual(response.category, "mid")

    def test_measures_each_estimate(self):
        response_in("EUR", self.ctx)
        (measured,) = self.ctx.measurements
        self.assertEqual(measured["name"], "room_price")
        self.assertEqual(measured["fields"], {"price_usd": 100, "accommodates": 0})
        self.assertEqual(measured["tags"], {"borough": "Bronx", "category": "mid"})

    def test_names_the_currencies_it_knows(self):
        with self.assertRaisesRegex(ValueError, "no rate for 'XXX', only for EUR, GBP"):
            response_in("XXX", self.ctx)


if __name__ == "__main__":
    unittest.main()
