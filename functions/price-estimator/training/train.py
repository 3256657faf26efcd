"""Trains the room price model: `python3 train.py` writes ../models/room-price.json.

Least squares on the logarithm of the price, with a little ridge so that rare
labels stay tame. Pure Python, and the same file comes out everywhere: the rows
are read in order, nothing is random, and weights are rounded.
"""

import csv
import json
import math
import pathlib
import statistics
import sys
import types

HERE = pathlib.Path(__file__).resolve().parent
BUNDLE = HERE.parent
MODEL = BUNDLE / "models" / "room-price.json"

# The node's own features: what is trained on is what is asked later.
sys.path.insert(0, str(BUNDLE / "src" / "etl"))
import features  # noqa: E402

RIDGE = 0.5
HELD_OUT = 5  # every fifth room is kept back to judge the model by
DIGITS = 6
TEXT = ("borough", "room_type")


def read_rooms():
    """The rooms as objects with a request's fields, and price in US dollars."""
    with open(HERE / "rooms.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield types.SimpleNamespace(
                **{k: v if k in TEXT else float(v) for k, v in row.items()}
            )


def columns(rooms):
    """Names of the columns after the intercept: (None, number) or (kind, label)."""
    names = [(None, name) for name in features.numbers(rooms[0])]
    for kind in TEXT:
        names += [(kind, label) for label in sorted({getattr(r, kind) for r in rooms})]
    return names


def vector(room, names):
    """One row of the design matrix."""
    numbers, labels = features.numbers(room), features.labels(room)
    return [1.0] + [
        numbers[name] if kind is None else float(labels[kind] == name)
        for kind, name in names
    ]


def solve(matrix, right):
    """Solves matrix · x = right by Gaussian elimination with pivoting."""
    rows = [list(row) + [value] for row, value in zip(matrix, right)]
    size = len(rows)
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, size):
            factor = rows[r][i] / rows[i][i]
            for c in range(i, size + 1):
                rows[r][c] -= factor * rows[i][c]
    x = [0.0] * size
    for i in reversed(range(size)):
        known = math.fsum(rows[i][c] * x[c] for c in range(i + 1, size))
        x[i] = (rows[i][size] - known) / rows[i][i]
    return x


def fit(rooms, names):
    """Weights: the intercept, then one for each name."""
    vectors = [vector(room, names) for room in rooms]
    targets = [math.log(room.price) for room in rooms]
    size = len(names) + 1
    matrix = [
        [
            math.fsum(v[i] * v[j] for v in vectors) + (RIDGE if i == j and i else 0.0)
            for j in range(size)
        ]
        for i in range(size)
    ]
    right = [math.fsum(v[i] * t for v, t in zip(vectors, targets)) for i in range(size)]
    return [round(weight, DIGITS) for weight in solve(matrix, right)]


def median_error(weights, rooms, names):
    """Median of |estimate / price - 1|."""
    errors = []
    for room in rooms:
        log_price = math.fsum(w * v for w, v in zip(weights, vector(room, names)))
        errors.append(abs(math.exp(log_price) / room.price - 1))
    return round(statistics.median(errors), 3)


def train():
    """The model as the data that is stored."""
    rooms = list(read_rooms())
    names = columns(rooms)
    kept_back = rooms[::HELD_OUT]
    rest = [room for i, room in enumerate(rooms) if i % HELD_OUT]
    weights = fit(rest, names)

    model = {
        "trained_on": len(rest),
        "held_out": len(kept_back),
        "median_error": median_error(weights, kept_back, names),
        "intercept": weights[0],
        "numbers": {},
        "labels": {},
    }
    for (kind, name), weight in zip(names, weights[1:]):
        if kind is None:
            values = [features.numbers(room)[name] for room in rooms]
            seen = [math.floor(min(values)), math.ceil(max(values))]
            model["numbers"][name] = {"weight": weight, "range": seen}
        else:
            model["labels"].setdefault(kind, {})[name] = weight

    low, mid, high = statistics.quantiles([room.price for room in rooms], n=4)
    limits = zip(("low", "mid", "high", "lux"), (low, mid, high, None))
    model["categories"] = [list(limit) for limit in limits]
    return model


def text():
    """The model's file."""
    return json.dumps(train(), indent=2) + "\n"


if __name__ == "__main__":
    MODEL.write_text(text(), encoding="utf-8")
