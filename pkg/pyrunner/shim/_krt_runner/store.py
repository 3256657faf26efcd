"""The client of the store at KRT_STORE, and ctx.db."""

import http.client
import json
import os
import socket
import ssl
import threading
import time
import urllib.parse

from _krt_runner import dicts, logs
from _krt_runner.context import Done

_NOT_ITS_CONTENT = (401, 403, 429)  # refusals of who sends, or of how much, for which a handler can do nothing
_PAGE = 5000  # documents in a response at most
_MAX_RESPONSE = 32 << 20  # bytes: more than the store sends at most
# How long the store may take to respond, in seconds, as in Go (pkg/runner/data.go): to documents as long as it may take
# itself, and to what is lost if it does not so long that a store that hangs does not use up a request's time.
_DOCUMENTS, _LOSSES = 10, 3
_COLLECTIONS = "/v1/collections/"


class StoreError(RuntimeError):
    """The store cannot be reached, or has failed."""

    __module__ = "krt"  # from which nodes import it


class StoreRefused(StoreError):
    """The store refuses what it was sent."""

    __module__ = "krt"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("store", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """A connection to the store, opened on first use."""

    def __init__(self, address, version, node, workflow, credentials=None):
        self._address = address
        self._headers = {"Content-Type": "application/json", "Krt-Version": version, "Krt-Node": node}
        self._tls = None
        if credentials:
            self._read_credentials(credentials)
        self._workflow = workflow
        self._connection = None
        self._lock = threading.Lock()

    def _read_credentials(self, folder):
        """Read the version's credential, and the certificates to trust, from a folder (KRT_STORE_CREDENTIALS)."""
        with open(os.path.join(folder, "credential"), encoding="ascii") as file:
            self._headers["Authorization"] = "Bearer " + file.read().strip()
        certificates = os.path.join(folder, "ca.crt")
        if os.path.exists(certificates):
            self._tls = ssl.create_default_context(cafile=certificates)

    def post(self, path, body):
        """POST body as JSON; return the JSON response. StoreError if that fails."""
        body, made = _identified(body)
        data = encode(body)
        call = logs.current.call
        workflow = self._workflow if call is None else call.workflow
        workflow = workflow.translate({10: "?", 13: "?"}).encode("ascii", "replace").decode()
        headers = dict(self._headers, **{"Krt-Workflow": workflow})
        if call is not None and call.mirrored:
            headers["Krt-Mirror"] = "1"
        if call is not None and call.traceparent:
            headers["traceparent"] = call.traceparent
        with self._lock:
            try:
                status, response, again = self._exchange(path, data, headers, _patience(path, call))
            except (OSError, http.client.HTTPException) as error:
                self._close()
                raise StoreError("cannot reach the store at %s (KRT_STORE): %s" % (self._address, error)) from error
            except BaseException:  # cancelled half way: the connection cannot be used again
                self._close()
                raise
        if again and made and status == 409:
            return {"id": made}  # it was saved the first time, whose response is lost
        return _read(status, response)

    def _exchange(self, path, data, headers, timeout):
        """Send a request; return status and body of the response, and whether it was sent twice."""
        again = False
        fresh = self._connection is None
        while True:
            if self._connection is None:
                self._connection = self._open(timeout)
            elif self._connection.sock is not None:
                self._connection.sock.settimeout(timeout)
            try:
                self._send(path, data, headers)
                response = self._connection.getresponse()
                return response.status, self._receive(response), again
            except (ConnectionError, http.client.RemoteDisconnected):
                # The store may have closed a connection that was idle.
                self._close()
                if fresh:
                    raise
                fresh = again = True

    def _receive(self, response):
        data = response.read(_MAX_RESPONSE + 1)
        if len(data) > _MAX_RESPONSE:
            raise http.client.HTTPException("the response has more than %d bytes" % _MAX_RESPONSE)
        return data

    def _send(self, path, data, headers):
        try:
            self._connection.request("POST", path, data, headers)
        except (BrokenPipeError, ConnectionResetError):
            # A store that refuses a body responds and closes before it has received all of it.
            # On a connection that was idle there is nothing to read, which is another error.
            pass

    def _open(self, timeout):
        url = urllib.parse.urlsplit(self._address)
        if url.scheme == "unix":
            return _UnixConnection(url.path, timeout)
        if url.scheme == "http" and url.hostname:
            return http.client.HTTPConnection(url.hostname, url.port or 80, timeout=timeout)
        if url.scheme == "https" and url.hostname:
            return http.client.HTTPSConnection(url.hostname, url.port or 443, timeout=timeout, context=self._tls)
        raise StoreError("KRT_STORE: %r is neither unix:///path, http://host:port nor https://host:port" % self._address)

    def before_fork(self):
        """Close the connection, so that processes do not share it."""
        self._close()

    def _close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _patience(path, call):
    """How many seconds the store may take to respond to a request of a call: no more than that has left."""
    patience = _DOCUMENTS if path.startswith(_COLLECTIONS) else _LOSSES
    if call is None or not call.deadline_ns:
        return patience
    left = call.deadline_ns / 1e9 - time.time()
    return min(patience, max(left, 0.001))


def new_id():
    """An id of a document as MongoDB makes them: 24 hexadecimal digits, which begin with the time."""
    return "%08x" % int(time.time()) + os.urandom(8).hex()


def _identified(body):
    """body, and the _id that it got: a document has one before it is sent, so that it is never saved twice."""
    data = body.get("data")
    if not isinstance(data, dict) or data.get("_id") is not None:
        return body, None
    made = new_id()
    return dict(body, data=dict(data, _id=made)), made


def _read(status, response):
    try:
        body = json.loads(response) if response else {}
    except ValueError:
        body = {}
    if status >= 300:
        text = (body.get("error") if isinstance(body, dict) else None) or "HTTP status %d" % status
        if status < 500 and status not in _NOT_ITS_CONTENT:
            raise StoreRefused("the store refused this: %s" % text)
        raise StoreError("the store has failed: %s" % text)
    return body


def encode(body):
    """body as JSON; TypeError names what has none. NaN is stored as null, because JSON has no NaN."""
    data = dicts.encode(body)
    if b"NaN" in data or b"Infinity" in data:
        data = json.dumps(json.loads(data, parse_constant=lambda _: None)).encode()
    return data


class Documents(list):
    """The result of find: a list that may be awaited, but need not be."""

    def __await__(self):
        return self
        yield


class DB:
    """ctx.db"""

    def __init__(self, client):
        self._client = client

    def save(self, coll, data):
        """Save the document data (a dict) in the collection coll; returns its _id."""
        if not isinstance(data, dict):
            raise ValueError("ctx.db.save: the document is a %s, it must be a dict" % type(data).__name__)
        body = self._post("save", coll, "", {"data": data})
        given = data.get("_id")
        return Done(body.get("id") if given is None else given)

    def find(self, coll, query):
        """Find the documents of coll that match query: values by field, and MongoDB's operators.

        An empty query finds all. They are read page by page.
        """
        if not isinstance(query, dict):
            raise ValueError("ctx.db.find: query=%r must be a dict" % (query,))
        found, body = Documents(), {"query": query, "limit": _PAGE}
        while True:
            page = self._post("find", coll, "/find", body)
            found += page.get("documents") or []
            cursor = page.get("next")
            if not cursor:
                return found
            if cursor == body.get("cursor"):
                raise StoreError("ctx.db.find: collection %r: the store's pages do not end" % coll)
            body["cursor"] = cursor

    def _post(self, what, coll, suffix, body):
        if not isinstance(coll, str) or not coll:
            raise ValueError("ctx.db.%s: collection=%r must be a string that is not empty" % (what, coll))
        if self._client is None:
            raise RuntimeError("no store configured: ctx.db.%s needs one, set KRT_STORE" % what)
        try:
            return self._client.post("%s%s%s" % (_COLLECTIONS, urllib.parse.quote(coll, safe=""), suffix), body)
        except (StoreError, TypeError, ValueError) as error:
            error.args = ("ctx.db.%s: collection %r: %s" % (what, coll, error),)
            raise
