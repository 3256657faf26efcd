import scoring
from public_input_pb2 import Category, Classified, Email, Response
from rules.words import load


def init(ctx):
    ctx.set("words", load(ctx.path("assets/words.txt")))


async def handler(ctx, data):
    email = Email()
    data.Unpack(email)

    category = scoring.category(ctx.get("words"), email)
    if category == Category.Value("SPAM"):
        # The sender need not wait for the archive.
        res = Response()
        res.category = category
        await ctx.early_reply(res)

    classified = Classified()
    classified.email.CopyFrom(email)
    classified.category = category
    return classified
