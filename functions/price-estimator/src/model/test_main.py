import json
import logging
import pathlib
import subprocess
import sys
import types
import unittest

from google.protobuf.any_pb2 import Any

import main
from internal_nodes_pb2 import EtlOutput

BUNDLE = pathlib.Path(__file__).resolve().parents[2]


def packed(message):
    data = Any()
    data.Pack(message)
    return data


def features(**changes):
    numbers = dict(
        accommodates=2, bedrooms=1, bathrooms=1, beds=1, km_from_centre=10,
        tv=1, elevator=0, internet=1,
    )
    labels = dict(borough="Queens", room_type="Private room")
    for name, value in changes.items():
        (labels if isinstance(value, str) else numbers)[name] = value
    return EtlOutput(numbers=numbers, labels=labels)


class ModelTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        values = {}
        self.ctx = types.SimpleNamespace(
            logger=logging.getLogger("model"),
            path=lambda relative: str(BUNDLE / relative),
            set=values.__setitem__,
            get=values.get,
        )
        main.init(self.ctx)

    async def estimate(self, **changes):
        return await main.handler(self.ctx, packed(features(**changes)))

    async def test_larger_rooms_cost_more(self):
        small, large = await self.estimate(), await self.estimate(accommodates=6)
        self.assertLess(small.price, large.price)

    async def test_nearer_rooms_cost_more(self):
        near, far = await self.estimate(km_from_centre=1), await self.estimate()
        self.assertGreater(near.price, far.price)

    async def test_categories_follow_the_price(self):
        self.assertEqual((await self.estimate()).category, "low")
        dear = await self.estimate(
            borough="Manhattan", room_type="Entire home", accommodates=8, km_from_centre=0
        )
        self.assertEqual(dear.category, "lux")

    async def test_raises_for_rooms_it_knows_nothing_of(self):
        for changes, error in [
            (dict(borough="Atlantis"), "borough 'Atlantis' is unknown to the model"),
            (dict(accommodates=40), "accommodates is 40, the model knows 1 to 8"),
        ]:
            with self.subTest(error), self.assertRaisesRegex(ValueError, error):
                await self.estimate(**changes)

    def test_training_makes_the_stored_model(self):
        # A process of its own: the training imports etl's modules.
        made = subprocess.run(
            [sys.executable, "-B", "-c", "import train; print(train.text(), end='')"],
            cwd=BUNDLE / "training", stdout=subprocess.PIPE, check=True,
        )
        stored = BUNDLE / "models" / "room-price.json"
        self.assertEqual(json.loads(made.stdout), json.loads(stored.read_bytes()))
        self.assertEqual(made.stdout, stored.read_bytes())


if __name__ == "__main__":
    unittest.main()
