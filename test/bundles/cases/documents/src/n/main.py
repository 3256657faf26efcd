from public_input_pb2 import Request, Response


async def handler(ctx, data):
    req = Request()
    data.Unpack(req)
    if req.op == "save":
        await ctx.db.save("people", {"name": req.arg, "age": 36, "tags": ["maths", "poetry"], "home": {"city": "London"}})
        return Response(text="saved")
    found = await ctx.db.find("people", QUERIES[req.op](req.arg))
    return Response(text=" ".join(sorted({p["name"] for p in found})) or "nobody")


QUERIES = {
    "name": lambda arg: {"name": arg},
    "older": lambda arg: {"age": {"$gt": int(arg)}, "home.city": "London"},
    "tag": lambda arg: {"tags": arg},
    "either": lambda arg: {"$or": [{"name": arg}, {"name": {"$regex": "^" + arg}}]},
}
