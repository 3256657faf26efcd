# Generation A, behind a node of messages.
def handler(ctx, data):
    ctx.set_value("last", data)
    data["price"] = round(data["price"], 1)
    if data["beds"] > 9:
        data["bed"] = data["beds"]
    return ctx.get_value("last")
