import pathlib
import subprocess
import sys
import unittest

from krt.testing import Context, call

import main
from internal_nodes_pb2 import EtlOutput

BUNDLE = pathlib.Path(__file__).resolve().parents[2]


def estimate(**changes):
    """The response for a plain room in Queens with changes to its features."""
    numbers = dict(
        accommodates=2,
        bedrooms=1,
        bathrooms=1,
        beds=1,
        km_from_centre=10,
        tv=1,
        elevator=0,
        internet=1,
    )
    labels = dict(borough="Queens", room_type="Private room")
    for name, value in changes.items():
        (labels if isinstance(value, str) else numbers)[name] = value
    request = EtlOutput(numbers=numbers, labels=labels)
    return call(main.handler, request, Context(BUNDLE), init=main.init)


class ModelTest(unittest.TestCase):
    def test_larger_rooms_cost_more(self):
        self.assertLess(estimate().price, estimate(accommodates=6).price)

    def test_nearer_rooms_cost_more(self):
        self.assertGreater(estimate(km_from_centre=1).price, estimate().price)

    def test_categories_follow_the_price(self):
        self.assertEqual(estimate().category, "low")
        dear = estimate(
            borough="Manhattan", room_type="Entire home", accommodates=8, km_from_centre=0
        )
        self.assertEqual(dear.category, "lux")

    def test_raises_for_rooms_it_knows_nothing_of(self):
        for changes, error in [
            (dict(borough="Atlantis"), "borough 'Atlantis' is unknown to the model"),
            (dict(accommodates=40), "accommodates is 40, the model knows 1 to 8"),
        ]:
            with self.subTest(error), self.assertRaisesRegex(ValueError, error):
                estimate(**changes)

    def test_training_makes_the_stored_model(self):
        # A process of its own: the training imports etl's modules.
        made = subprocess.run(
            [sys.executable, "-B", "-c", "import train; print(train.text(), end='')"],
            cwd=BUNDLE / "training",
            stdout=subprocess.PIPE,
            check=True,
        )
        stored = BUNDLE / "models" / "room-price.json"
        self.assertEqual(made.stdout, stored.read_bytes())


if __name__ == "__main__":
    unittest.main()
