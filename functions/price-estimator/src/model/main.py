"""Second step: the price in US dollars, by a linear model of its logarithm."""

import json
import math

from internal_nodes_pb2 import EtlOutput, ModelOutput


def init(ctx):
    with open(ctx.path("models/room-price.json"), encoding="utf-8") as file:
        model = json.load(file)
    ctx.set("model", model)
    ctx.logger.info(f"model trained on {model['trained_on']} rooms")


async def handler(ctx, data):
    req = EtlOutput()
    data.Unpack(req)

    model = ctx.get("model")
    price = predict(model, req.numbers, req.labels)
    return ModelOutput(
        request=req.request, price=price, category=category(model, price)
    )


def predict(model, numbers, labels):
    """The price of a night. Raises ValueError for a room unlike all those that
    the model was trained on: an estimate would be a guess."""
    log_price = model["intercept"]
    for name, number in model["numbers"].items():
        low, high = number["range"]
        value = numbers[name]
        if not low <= value <= high:
            raise ValueError(
                f"{name} is {value:g}, the model knows {low:g} to {high:g}"
            )
        log_price += number["weight"] * value
    for kind, weights in model["labels"].items():
        label = labels[kind]
        if label not in weights:
            raise ValueError(
                f"{kind} {label!r} is unknown to the model, it knows "
                + ", ".join(sorted(weights))
            )
        log_price += weights[label]
    return math.exp(log_price)


def category(model, price):
    """The first category whose limit the price is below; the last has none."""
    for name, below in model["categories"]:
        if below is None or price < below:
            return name
    raise ValueError("the model's last category has a limit")
