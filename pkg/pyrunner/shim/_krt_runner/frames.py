"""The wire between the front and its Python processes.

A frame is a header (length of the payload, kind, sequence number of its request;
little-endian) and its payload. pkg/pyrunner/frame.go is the other side and defines
the payloads.
"""

import os
import select
import struct
import threading

HEADER = struct.Struct("<IBI")
REQUEST_HEAD = struct.Struct("<qqBHHHHH")
RESULT_HEAD = struct.Struct("<BH")
NAME_HEAD = struct.Struct("<H")
FLAG_REPLIED = 1  # of a request
FLAG_MIRROR = 2
COMMAND = struct.Struct("<BII")

# Front to worker.
REQUEST = 1
CANCEL = 2
END = 3
# Worker (or zygote) to front.
READY = 16
FAILED = 17
RESULT = 18
EARLY_REPLY = 19
ERROR = 20
CANCELLED = 21
EXITED = 22
SEND = 23
# Front to zygote, in COMMANDs.
SPAWN = 1
SIGNAL = 2
STOP = 3

# Kinds of an ERROR: the first byte of its payload.
HANDLER_ERROR = 0
WRONG_OUTPUT = 1
TOO_LARGE = 2

# Result flags.
EARLY_EXIT = 1
NO_MESSAGE = 2

_CHUNK = 65536


def clip(text, most):
    """UTF-8 of text, of at most that many bytes, not ending within a character."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore").encode()


class Channel:
    """Reads and writes frames on two pipes, or on a stream socket whose descriptor is both; they block."""

    def __init__(self, reads, writes):
        # A process that the node starts must not keep them open, or nobody would see that this one has ended.
        for number in {reads, writes}:
            os.set_inheritable(number, False)
        self.reads = reads
        self.writes = writes
        self.buffered = b""
        self.holding = False  # a cancel is only noted at present
        self.cancelled = 0  # number of the request cancelled last
        self.on_cancel = None  # called with its number if that was while holding
        self._lock = threading.Lock()

    def read(self):
        """Return (kind, sequence, payload) of the next frame, None at the end."""
        while True:
            data = self.buffered
            if len(data) >= HEADER.size:
                length, kind, sequence = HEADER.unpack_from(data)
                end = HEADER.size + length
                if len(data) < end:
                    data = self._read_rest(data, end)
                    if data is None:
                        return None
                self.buffered = data[end:]
                return kind, sequence, data[HEADER.size:end]
            chunk = os.read(self.reads, _CHUNK)
            if not chunk:
                return None
            self.buffered = data + chunk if data else chunk

    def _read_rest(self, data, end):
        whole = bytearray(end)
        at = len(data)
        whole[:at] = data
        view = memoryview(whole)
        while at < end:
            n = os.readv(self.reads, (view[at:],))
            if n == 0:
                return None
            at += n
        return bytes(whole)

    def cancels(self, sequence):
        """Report whether the front has cancelled the request with that number.

        Called from a signal handler while the request runs. Then the front sends
        only a cancel, before it sends the signal.
        """
        here = select.poll()
        here.register(self.reads, select.POLLIN)
        if here.poll(0):
            self.buffered += os.read(self.reads, _CHUNK)
        if len(self.buffered) < HEADER.size:
            return False
        _, kind, number = HEADER.unpack_from(self.buffered)
        return kind == CANCEL and number == sequence

    def send(self, kind, sequence, *parts):
        length = 0
        for part in parts:
            length += len(part)
        data = b"".join((HEADER.pack(length, kind, sequence), *parts))
        with self._lock:
            sent = os.write(self.writes, data)
            while sent < len(data):  # it is large, and a signal came
                sent += os.write(self.writes, memoryview(data)[sent:])

    def close(self):
        """Close it in a process that has a copy of it: what it still sends fails."""
        for number in {self.reads, self.writes} - {-1}:
            os.close(number)
        self.reads = self.writes = -1

    def send_whole(self, kind, sequence, *parts):
        """send while the handler runs, which a cancel may end at any time, but not between two bytes of a frame."""
        if threading.current_thread() is not threading.main_thread():  # signals interrupt the main thread only
            self.send(kind, sequence, *parts)
            return
        self.whole(sequence, self.send, kind, sequence, *parts)

    def whole(self, sequence, function, *args):
        """Call function in the main thread. A cancel of the request with that number comes into effect after it."""
        self.holding = True
        try:
            function(*args)
        finally:
            self.holding = False
        if self.cancelled == sequence:
            self.on_cancel(sequence)
