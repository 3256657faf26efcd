from google.protobuf.wrappers_pb2 import StringValue


async def init(ctx):
    ctx.set("greeting", "Hello")


async def handler(ctx, data):
    name = StringValue()
    data.Unpack(name)
    if not name.value:
        ctx.early_exit()
        return StringValue(value="who?")
    ctx.measurement.save("greetings", {"length": len(name.value)}, {"kind": "test"})
    await ctx.prediction.save("a", "b")
    await ctx.db.save("people", {"name": name.value, "age": 3})
    known = await ctx.db.find("people", {"name": name.value, "age": {"$gte": 3}})
    await ctx.early_reply(StringValue(value="wait"))
    return StringValue(value="%s %s %d" % (ctx.get("greeting"), name.value, len(known)))
