import unittest

from krt.testing import Context, call

import features
import main
from internal_nodes_pb2 import EtlOutput
from public_input_pb2 import Request, Response


def room(**changes):
    fields = dict(
        borough="Queens",
        room_type="Private room",
        accommodates=2,
        bathrooms=1.5,
        latitude=40.73,
        longitude=-73.86,
        tv=True,
    )
    fields.update(changes)
    return Request(**fields)


class EtlTest(unittest.TestCase):
    def test_makes_features(self):
        ctx = Context()
        response = call(main.handler, room(), ctx)
        self.assertIsInstance(response, EtlOutput)
        self.assertFalse(ctx.early_exited)
        self.assertEqual(response.request, room())
        self.assertEqual(response.numbers["bathrooms"], 1.5)
        self.assertEqual(response.numbers["tv"], 1)
        self.assertEqual(response.numbers["elevator"], 0)
        self.assertEqual(
            dict(response.labels), {"borough": "Queens", "room_type": "Private room"}
        )

    def test_exits_early_on_what_is_no_room(self):
        for changes, error in [
            (dict(borough=""), "borough: missing"),
            (dict(room_type="Castle"), "room_type: 'Castle' is none of"),
            (dict(accommodates=0), "accommodates: a room takes at least one guest"),
            (dict(beds=-1), "bedrooms, beds, bathrooms: a count cannot be negative"),
            (dict(latitude=51.5), "latitude: 51.5 is not in New York"),
            (dict(longitude=0), "longitude: 0 is not in New York"),
        ]:
            with self.subTest(error):
                ctx = Context()
                response = call(main.handler, room(**changes), ctx)
                self.assertIsInstance(response, Response)
                self.assertFalse(response.success)
                self.assertIn(error, response.error)
                self.assertTrue(ctx.early_exited)

    def test_distance_to_the_centre(self):
        self.assertEqual(features.km_from_centre(*features.CENTRE), 0)
        self.assertAlmostEqual(features.km_from_centre(40.758, -73.8855), 8.42, places=2)


if __name__ == "__main__":
    unittest.main()
