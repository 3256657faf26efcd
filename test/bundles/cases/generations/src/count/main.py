# Generation B: dicts, all fields there, numbers of the kinds that JSON had.
def init(ctx):
    ctx.set("beds", lambda rooms: sum(room["beds"] for room in rooms))


async def handler(ctx, data):
    if data["urgent"]:
        raise Exception("nobody is there")
    seen = " ".join(type(data[name]).__name__ for name in ("id", "rate", "kind", "raw", "urgent"))
    return {"id": data["id"], "price": data["rate"], "beds": ctx.get("beds")(data["rooms"]), "kind": data["kind"],
            "raw": data["raw"], "seen": seen, "stars": data["stars"]}
