import datetime
import types
import unittest

from google.protobuf.any_pb2 import Any

import main
from public_input_pb2 import SaveMetricsRequest


class Prediction:
    ERR_MISSING_VALUES = "missing_values"
    ERR_NEW_LABELS = "new_labels"

    def __init__(self):
        self.saved = []

    async def save(self, **values):
        self.saved.append(values)


class SaveMetricTest(unittest.IsolatedAsyncioTestCase):
    async def save(self, **fields):
        """The answer, and what was saved."""
        request = SaveMetricsRequest(**fields)
        request.date.FromSeconds(1_700_000_000)
        data = Any()
        data.Pack(request)
        ctx = types.SimpleNamespace(prediction=Prediction())
        answer = await main.handler(ctx, data)
        (saved,) = ctx.prediction.saved
        self.assertEqual(saved.pop("utcdate"), datetime.datetime(2023, 11, 14, 22, 13, 20))
        return answer, saved

    async def test_saves_both_values(self):
        answer, saved = await self.save(predicted_category="low", true_category="mid")
        self.assertTrue(answer.success)
        self.assertEqual(saved, {"predicted_value": "low", "true_value": "mid"})

    async def test_saves_an_error_for_a_missing_value(self):
        answer, saved = await self.save(predicted_category="low")
        self.assertFalse(answer.success)
        self.assertEqual(saved, {"error": "missing_values"})

    async def test_saves_an_error_for_a_new_label(self):
        answer, saved = await self.save(predicted_category="low", true_category="free")
        self.assertFalse(answer.success)
        self.assertEqual(saved["error"], "new_labels")

    async def test_takes_no_date_for_now(self):
        data = Any()
        data.Pack(SaveMetricsRequest(predicted_category="low", true_category="low"))
        ctx = types.SimpleNamespace(prediction=Prediction())
        await main.handler(ctx, data)
        self.assertIsNone(ctx.prediction.saved[0]["utcdate"])


if __name__ == "__main__":
    unittest.main()
