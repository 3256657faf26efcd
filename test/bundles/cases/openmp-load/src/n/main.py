import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from public_input_pb2 import Request, Response

def init(ctx):
    x = np.arange(2000.0).reshape(100, 20)
    model = HistGradientBoostingClassifier(max_iter=5).fit(x, x[:, 0] > 1000)
    model.predict(np.ones((10, 20)))  # warm-up
    ctx.set("model", model)

async def handler(ctx, data):
    y = ctx.get("model").predict(np.full((5000, 20), 1999.0))
    return Response(text=str(y[:3]))
