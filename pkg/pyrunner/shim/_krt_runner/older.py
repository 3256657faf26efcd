"""Names that the contexts of runners up to 1.22 had, and later ones do not have."""

import datetime
import re

_DATE = "%Y-%m-%dT%H:%M:%S.%fZ"
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _instant(date):
    """The time of date, in RFC 3339 or in the form of older runners."""
    parts = _RFC3339.fullmatch(date)
    if parts is None:
        return datetime.datetime.strptime(date, _DATE)
    day, time, fraction, zone = parts.groups()
    zone = "+0000" if zone in "Zz" else zone.replace(":", "")
    return datetime.datetime.strptime("%sT%s.%s%s" % (day, time, (fraction or "0")[:6], zone), "%Y-%m-%dT%H:%M:%S.%f%z")


def _saved(prediction, what, predicted_value, true_value, date, error):
    if date:
        try:
            date = _instant(date)
        except (TypeError, ValueError):
            raise ValueError("[ctx.%s] invalid 'date'='%s', must be a RFC 3339 date like: 2020-04-06T09:02:09.277853Z"
                             % (what, date)) from None
    return prediction.save(predicted_value=predicted_value, true_value=true_value, utcdate=date or None, error=error)


class Metrics:
    """ctx.metrics, which later became ctx.prediction."""

    def __init__(self, prediction):
        self._prediction = prediction
        self.ERR_MISSING_VALUES = prediction.ERR_MISSING_VALUES
        self.ERR_NEW_LABELS = prediction.ERR_NEW_LABELS
        self.METRIC_ERRORS = list(prediction.PREDICTION_ERRORS)

    def save(self, predicted_value="", true_value="", date="", error=""):
        return _saved(self._prediction, "metrics.save", predicted_value, true_value, date, error)


class Older:
    """The older names of the context."""

    ERR_MISSING_VALUES = "missing_values"
    ERR_NEW_LABELS = "new_labels"
    METRIC_ERRORS = [ERR_MISSING_VALUES, ERR_NEW_LABELS]

    @property
    def metrics(self):
        """What ctx.prediction was called; its save takes date in the third place."""
        return Metrics(self.prediction)

    def get_path(self, relative_path):
        """The same as ctx.path."""
        return self.path(relative_path)

    def set_value(self, key, value):
        """Store value; ctx.get_value(key) and the attribute ctx.<key> return it."""
        self.set(key, value)

    def get_value(self, key):
        """The value that ctx.set_value stored under key; AttributeError if there is none."""
        values = self._node.values
        return values[key] if key in values else getattr(self, key)

    def save_metric(self, predicted_value="", true_value="", date="", error=""):
        """Save a prediction, as ctx.prediction.save does."""
        return _saved(self.prediction, "save_metric", predicted_value, true_value, date, error)

    def save_data(self, coll, data):
        """The same as ctx.db.save."""
        return self.db.save(coll, data)

    def get_data(self, coll, query):
        """The same as ctx.db.find."""
        return self.db.find(coll, query)
