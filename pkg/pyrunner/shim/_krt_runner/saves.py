"""ctx.measurement and ctx.prediction.

A mistake of the handler is raised, with the names of measurement and field. If the
store cannot be reached, that is logged: as in KRT V1, it does not fail the request.
"""

import collections.abc
import datetime
import decimal
import math
import re

from _krt_runner.context import Done
from _krt_runner.store import StoreError, StoreRefused

_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]|$)")
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH = datetime.datetime(1970, 1, 1)


def rfc3339(value):
    """The time value (a datetime, in UTC if it is naive, or ISO 8601 text) in RFC 3339, UTC."""
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00") if value.endswith("Z") else value)
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(datetime.timezone.utc)
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Saver:
    def __init__(self, client, logger):
        self._client = client
        self._logger = logger

    def _save(self, kind, what, path, body):
        if self._client is None:
            self._logger.info(kind, extra={"krt": body})
            return Done()
        try:
            self._client.post(path, body)
        except (StoreRefused, TypeError, ValueError) as error:
            raise ValueError("cannot save the %s: %s" % (what, error)) from None
        except StoreError as error:
            self._logger.error("cannot save the %s: %s", what, error)
        return Done()


class Measurement(_Saver):
    """ctx.measurement"""

    PRECISION_S = "s"
    PRECISION_MS = "ms"
    PRECISION_US = "us"
    PRECISION_NS = "ns"

    def save(self, name="", fields=None, tags=None, time=None, precision=PRECISION_NS, measurement=""):
        """Save fields (values) and tags (strings) under name; time is now unless given.

        As in KRT V1, fields that are None or not finite are left out, and so is a
        measurement without other fields; tags become strings.
        """
        name = str(name or measurement)
        what = 'measurement "%s"' % name
        values = {}
        for argument, value in (("fields", fields), ("tags", tags)):
            if value is not None and not isinstance(value, collections.abc.Mapping):
                raise ValueError("cannot save the %s: %s=%r must be a dict" % (what, argument, value))
        for key, value in dict(fields or {}).items():
            value = _field(what, key, value)
            if value is not None:
                values[str(key)] = value
        if not values:
            return Done()
        texts = {str(key): str(value) for key, value in dict(tags or {}).items() if value is not None and str(value)}
        body = {"name": name, "fields": values, "tags": texts, "precision": str(precision)}
        if time is not None:
            try:
                body["time"] = rfc3339(_instant(time, body["precision"]))
            except (TypeError, ValueError, OverflowError, AttributeError) as error:
                raise ValueError("cannot save the %s: time=%r: %s" % (what, time, error)) from None
        return self._save("measurement", what, "/v1/measurements", body)


def _field(what, key, value):
    """The value of a field as it is saved; None if it is left out."""
    if hasattr(value, "item") and not getattr(value, "shape", ()):  # a scalar of numpy
        scalar = value.item()
        # A long double has no form of Python's own.
        value = float(value) if hasattr(scalar, "item") else scalar
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError('cannot save the %s: field: "%s" is an integer of more than 64 bits.' % (what, key))
        return int(value)
    if isinstance(value, decimal.Decimal):
        value = math.nan if value.is_nan() else float(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    raise ValueError('cannot save the %s: Type: "%s" of field: "%s" is not supported.' % (what, type(value), key))


def _instant(time, precision):
    """A time as datetime or text: whole numbers count units of precision since 1970."""
    if isinstance(time, (int, float)):
        units = _UNITS.get(precision, 10**9)
        return _EPOCH + datetime.timedelta(seconds=time // units, microseconds=(time % units) * 10**6 // units)
    return time


class Prediction(_Saver):
    """ctx.prediction"""

    ERR_MISSING_VALUES = "missing_values"
    ERR_NEW_LABELS = "new_labels"
    PREDICTION_ERRORS = [ERR_MISSING_VALUES, ERR_NEW_LABELS]

    _NEW = ("predicted_value", "true_value", "extra", "utcdate", "error")
    _OLD = ("utcdate", "predicted_value", "true_value", "extra", "error")
    _DATED = ("predicted_value", "true_value", "utcdate", "error")
    _DATED_EXTRA = ("predicted_value", "true_value", "utcdate", "extra", "error")

    def save(self, *values, **named):
        """save(predicted_value="", true_value="", extra=None, utcdate=None, error="")

        The positional orders of older runners, with the date first or third, are
        recognised by the values; the date was once called `date`. The true value is
        often not known yet, so either value may be saved without the other.
        """
        given = self._given(values, named)
        error = given.get("error") or ""
        if error and error not in self.PREDICTION_ERRORS:
            raise ValueError(
                "ctx.prediction.save: error=%r is neither %r nor %r"
                % (error, self.ERR_MISSING_VALUES, self.ERR_NEW_LABELS)
            )
        for name in ("predicted_value", "true_value"):
            value = given.get(name)
            if value is not None and not isinstance(value, str):
                raise ValueError("ctx.prediction.save: %s=%r must be a string" % (name, value))
        if not error and not given.get("predicted_value") and not given.get("true_value"):
            raise ValueError("ctx.prediction.save: give a predicted_value, a true_value or an error")
        extra = given.get("extra")
        return self._save("prediction", "prediction", "/v1/predictions", {
            "predicted_value": given.get("predicted_value") or "",
            "true_value": given.get("true_value") or "",
            "extra": {} if extra is None else extra,
            "date": rfc3339(given.get("utcdate") or datetime.datetime.now(datetime.timezone.utc)),
            "error": error,
        })

    def _order(self, values, named):
        third = values[2] if len(values) > 2 else None
        if values and isinstance(values[0], datetime.date):
            return self._OLD
        if values and _is_date(values[0]) and "predicted_value" in named:
            return self._OLD
        if _is_date(third) or third == "" and len(values) > 3 and values[3] in self.PREDICTION_ERRORS:
            return self._DATED if len(values) < 4 or isinstance(values[3], str) else self._DATED_EXTRA
        # A class label may look like a date: only a string in the place of extra
        # means that the date is first.
        if values and _is_date(values[0]) and isinstance(third, str):
            return self._OLD
        return self._NEW

    def _given(self, values, named):
        order = self._order(values, named)
        if len(values) > len(order):
            raise TypeError("ctx.prediction.save takes at most %d values, %d were given" % (len(order), len(values)))
        if "date" in named:
            named["utcdate"] = named.pop("date")
        given = dict(zip(order, values))
        for name, value in named.items():
            if name not in self._NEW:
                raise TypeError("ctx.prediction.save has no parameter %r" % name)
            if name in given:
                raise TypeError("ctx.prediction.save: %s was given twice" % name)
            given[name] = value
        return given


def _is_date(value):
    return isinstance(value, datetime.date) or (isinstance(value, str) and _DATE.match(value) is not None)
