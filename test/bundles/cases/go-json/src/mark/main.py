def init(ctx):
    ctx.set_value("urgent", "!")


def handler(ctx, data):
    mark = ctx.get_value("urgent") if data["urgent"] else "."
    return {"words": data["words"], "label": data["model"] + mark, "ticket_id": data["ticket_id"]}
