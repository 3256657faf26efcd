import unittest

from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import BoolValue, StringValue
from krt.testing import Context, call, stream

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

    def test_what_a_stream_consists_of(self):
        def generator(ctx, data):
            yield StringValue(value="a")
            ctx.send(StringValue(value="b"))
            return StringValue(value="c")

        async def asynchronous(ctx, data):
            await ctx.send(StringValue(value="a"))
            yield StringValue(value="b")

        async def replies(ctx, data):
            yield StringValue(value="a")
            await ctx.early_reply(StringValue(value="b"))
            yield StringValue(value="dropped")

        def exits(ctx, data):
            yield StringValue(value="a")
            ctx.early_exit(StringValue(value="b"))

        for handler, wanted in ((generator, "abc"), (asynchronous, "ab"), (replies, "ab"), (exits, "ab"), (main.handler, "wait")):
            with self.subTest(handler.__name__):
                messages = stream(handler, StringValue(value="Bob"), init=main.init)
                self.assertEqual("".join(message.value for message in messages), wanted)

    def test_an_empty_value_is_a_message_of_a_stream(self):
        self.assertEqual(stream(lambda ctx, data: Struct(), StringValue()), [Struct()])

    def test_refuses_what_the_runner_would(self):
        for wrong, text in ((None, "yielded nothing"), ("b", "yielded a str"), (BoolValue(), "is a google.protobuf.BoolValue")):
            def handler(ctx, data):
                yield StringValue(value="a")
                yield wrong

            with self.subTest(text):
                with self.assertRaisesRegex(Exception, text):
                    stream(handler, StringValue(value="Bob"))

    def test_the_stream_of_a_handler_that_takes_dicts(self):
        def handler(ctx, data):
            yield {"name": data["name"]}
            return {}

        self.assertEqual(stream(handler, {"name": "Bob"}), [{"name": "Bob"}, {}])

    def test_sent(self):
        ctx = Context()
        self.assertEqual(call(lambda ctx, data: (m for m in [StringValue(value="a")]), StringValue(), ctx=ctx), None)
        self.assertEqual([m.value for m in ctx.sent], ["a"])
