"""ctx.measurement, ctx.prediction and ctx.db over the store at KRT_STORE."""

import datetime
import http.client
import json
import re
import socket
import threading
import urllib.parse

from _krt_runner import logs
from _krt_runner.context import Done

_TIMEOUT = 10  # seconds; the store is on this machine or in this namespace
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]|$)")


class StoreError(RuntimeError):
    """The store refused a request, or cannot be reached."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("store", timeout=_TIMEOUT)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """A connection to the store, opened when first used."""

    def __init__(self, address, version, node, workflow):
        self._address = address
        self._headers = {"Content-Type": "application/json", "Krt-Version": version, "Krt-Node": node}
        self._workflow = workflow
        self._connection = None
        self._lock = threading.Lock()

    def post(self, path, body):
        """POST body as JSON; return the JSON answer. StoreError if that fails."""
        data = json.dumps(body, default=_plain, allow_nan=False).encode()
        call = logs.current.call
        workflow = self._workflow if call is None else call.workflow
        workflow = workflow.translate({10: "?", 13: "?"}).encode("ascii", "replace").decode()
        headers = dict(self._headers, **{"Krt-Workflow": workflow})
        with self._lock:
            try:
                status, answer = self._exchange(path, data, headers)
            except (OSError, http.client.HTTPException) as error:
                self._close()
                raise StoreError("cannot reach the store at %s (KRT_STORE): %s" % (self._address, error)) from error
            except BaseException:  # cancelled half way: the connection is of no more use
                self._close()
                raise
        return _read(status, answer)

    def _exchange(self, path, data, headers):
        fresh = self._connection is None
        while True:
            if self._connection is None:
                self._connection = self._open()
            try:
                self._connection.request("POST", path, data, headers)
                response = self._connection.getresponse()
                return response.status, response.read()
            except (ConnectionError, http.client.RemoteDisconnected):
                # The store may have closed a connection that was idle.
                self._close()
                if fresh:
                    raise
                fresh = True

    def _open(self):
        url = urllib.parse.urlsplit(self._address)
        if url.scheme == "unix":
            return _UnixConnection(url.path)
        if url.scheme == "http" and url.hostname:
            return http.client.HTTPConnection(url.hostname, url.port or 80, timeout=_TIMEOUT)
        raise StoreError("KRT_STORE: %r is neither unix:///path nor http://host:port" % self._address)

    def before_fork(self):
        """Leave no connection for processes to share."""
        self._close()

    def _close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _read(status, answer):
    try:
        body = json.loads(answer) if answer else {}
    except ValueError:
        body = {}
    if status >= 300:
        text = body.get("error") if isinstance(body, dict) else None
        raise StoreError("the store refuses this: %s" % (text or "HTTP status %d" % status))
    return body


def _plain(value):
    """JSON for what json does not know: dates, numpy's scalars and arrays."""
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    for name in ("item", "tolist"):
        convert = getattr(value, name, None)
        if callable(convert):
            try:
                return convert()
            except (TypeError, ValueError):
                continue
    raise TypeError("%s cannot be stored: it has no JSON form" % type(value).__name__)


def rfc3339(value):
    """The instant value (datetime, naive meaning UTC, or ISO 8601 text) in RFC 3339, UTC."""
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

    def _save(self, kind, path, body):
        """Save body: never an error for the handler, as in KRT V1."""
        if self._client is None:
            self._logger.info(kind, extra={"krt": body})
            return Done()
        try:
            self._client.post(path, body)
        except (StoreError, ValueError, TypeError) as error:
            self._logger.error("cannot save the %s: %s", kind, error)
        return Done()


class Measurement(_Saver):
    """ctx.measurement"""

    PRECISION_S = "s"
    PRECISION_MS = "ms"
    PRECISION_US = "us"
    PRECISION_NS = "ns"

    def save(self, name="", fields=None, tags=None, time=None, precision=PRECISION_NS, measurement=""):
        """Save fields (values) and tags (texts) under name; time is now unless given."""
        body = {"name": name or measurement, "fields": dict(fields or {}), "tags": dict(tags or {})}
        body["precision"] = precision
        if time is not None:
            body["time"] = rfc3339(time)
        return self._save("measurement", "/v1/measurements", body)


class Prediction(_Saver):
    """ctx.prediction"""

    ERR_MISSING_VALUES = "missing_values"
    ERR_NEW_LABELS = "new_labels"
    PREDICTION_ERRORS = [ERR_MISSING_VALUES, ERR_NEW_LABELS]

    _NEW = ("predicted_value", "true_value", "extra", "utcdate", "error")
    _OLD = ("utcdate", "predicted_value", "true_value", "extra", "error")
    _DATED = ("predicted_value", "true_value", "utcdate", "extra", "error")

    def save(self, *values, **named):
        """save(predicted_value="", true_value="", extra=None, utcdate=None, error="")

        The positional orders of older runners, with the date first or third, are
        told by what stands there; the date was once called `date`. The truth is
        often not known yet: either value may be saved without the other.
        """
        given = self._given(values, named)
        error = given.get("error") or ""
        if error and error not in (self.ERR_MISSING_VALUES, self.ERR_NEW_LABELS):
            raise ValueError(
                "ctx.prediction.save: error=%r is neither %r nor %r"
                % (error, self.ERR_MISSING_VALUES, self.ERR_NEW_LABELS)
            )
        for name in ("predicted_value", "true_value"):
            value = given.get(name)
            if value is not None and not isinstance(value, str):
                raise ValueError("ctx.prediction.save: %s=%r must be a text" % (name, value))
        if not error and not given.get("predicted_value") and not given.get("true_value"):
            raise ValueError("ctx.prediction.save: give a predicted_value, a true_value or an error")
        date = given.get("utcdate") or datetime.datetime.now(datetime.timezone.utc)
        return self._save("prediction", "/v1/predictions", {
            "predicted_value": given.get("predicted_value") or "",
            "true_value": given.get("true_value") or "",
            "extra": given.get("extra") or {},
            "date": rfc3339(date),
            "error": error,
        })

    def _order(self, values, named):
        third = values[2] if len(values) > 2 else None
        if values and isinstance(values[0], datetime.date):
            return self._OLD
        if values and _is_date(values[0]) and "predicted_value" in named:
            return self._OLD
        if _is_date(third):
            return self._DATED
        # A class label may look like a date: only a text that stands where extra
        # would says that the date came first.
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
            if name not in order:
                raise TypeError("ctx.prediction.save has no parameter %r" % name)
            if name in given:
                raise TypeError("ctx.prediction.save: %s was given twice" % name)
            given[name] = value
        return given


def _is_date(value):
    return isinstance(value, datetime.date) or (isinstance(value, str) and _DATE.match(value) is not None)


class Documents(list):
    """What find returns: a list that may be awaited, and need not be."""

    def __await__(self):
        return self
        yield


class DB:
    """ctx.db"""

    def __init__(self, client):
        self._client = client

    def save(self, coll, data):
        """Save the document data (a dict) in collection coll; gives its id."""
        body = self._post("save", coll, "", {"data": data})
        return Done(body.get("id"))

    def find(self, coll, query):
        """Find the documents of coll that query matches (values, $gt $gte $lt $lte $in $ne)."""
        if not isinstance(query, dict) or not query:
            raise ValueError("ctx.db.find: query=%r must be a dict that is not empty" % (query,))
        return Documents(self._post("find", coll, "/find", {"query": query}).get("documents") or [])

    def _post(self, what, coll, suffix, body):
        if not isinstance(coll, str) or not coll:
            raise ValueError("ctx.db.%s: collection=%r must be a text that is not empty" % (what, coll))
        if self._client is None:
            raise RuntimeError("no store configured: ctx.db.%s needs one, set KRT_STORE" % what)
        return self._client.post("/v1/collections/%s%s" % (urllib.parse.quote(coll, safe=""), suffix), body)
