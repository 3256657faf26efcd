import unittest

from google.protobuf.wrappers_pb2 import StringValue
from krt.testing import Context, call

import main


class HandlerTest(unittest.TestCase):
    def test_greets(self):
        ctx = Context()
        answer = call(main.handler, StringValue(value="Bob"), ctx=ctx, init=main.init)
        self.assertEqual(answer.value, "Hello Bob 1")
        self.assertEqual([r.value for r in ctx.replies], ["wait"])
        self.assertEqual(ctx.measurements[0]["fields"], {"length": 3})
        self.assertEqual(ctx.predictions[0]["predicted_value"], "a")
        self.assertEqual(ctx.documents, {"people": [{"name": "Bob", "age": 3}]})
        self.assertFalse(ctx.early_exited)

    def test_exits(self):
        ctx = Context()
        self.assertEqual(call(main.handler, StringValue(), ctx=ctx).value, "who?")
        self.assertTrue(ctx.early_exited)

    def test_mirrored(self):
        self.assertTrue(call(lambda ctx, data: ctx.mirrored, StringValue(), ctx=Context(mirrored=True)))
        self.assertFalse(call(lambda ctx, data: ctx.mirrored, StringValue()))

    def test_finds_what_the_test_has_put_there(self):
        ctx = Context()
        ctx.documents["people"] = [{"name": "Eve"}, {"_id": "a", "name": "Bob"}]
        found = call(lambda ctx, data: ctx.db.find("people", {"name": "Bob"}), StringValue(), ctx=ctx)
        self.assertEqual(found, [{"_id": "a", "name": "Bob"}])

    def test_plain_handler(self):
        self.assertEqual(call(lambda ctx, data: StringValue(value=ctx.workflow), StringValue()).value, "test")
