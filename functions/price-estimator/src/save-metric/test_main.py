import unittest

from krt.testing import Context, call

import main
from public_input_pb2 import SaveMetricsRequest


def save(**fields):
    """The response, and what was saved."""
    request = SaveMetricsRequest(**fields)
    request.date.FromSeconds(1_700_000_000)
    ctx = Context()
    response = call(main.handler, request, ctx)
    (saved,) = ctx.predictions
    return response, saved


class SaveMetricTest(unittest.TestCase):
    def test_saves_both_values(self):
        response, saved = save(predicted_category="low", true_category="mid")
        self.assertTrue(response.success)
        self.assertEqual(saved["predicted_value"], "low")
        self.assertEqual(saved["true_value"], "mid")
        self.assertEqual(saved["date"], "2023-11-14T22:13:20.000000Z")
        self.assertEqual(saved["error"], "")

    def test_saves_an_error_for_a_missing_value(self):
        response, saved = save(predicted_category="low")
        self.assertFalse(response.success)
        self.assertEqual(saved["error"], "missing_values")

    def test_saves_an_error_for_a_new_label(self):
        response, saved = save(predicted_category="low", true_category="free")
        self.assertFalse(response.success)
        self.assertEqual(saved["error"], "new_labels")

    def test_takes_no_date_for_now(self):
        ctx = Context()
        request = SaveMetricsRequest(predicted_category="low", true_category="low")
        self.assertTrue(call(main.handler, request, ctx).success)
        self.assertTrue(ctx.predictions[0]["date"])


if __name__ == "__main__":
    unittest.main()
