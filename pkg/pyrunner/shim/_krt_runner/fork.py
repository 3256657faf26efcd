"""What a fork after init breaks in a node, and what can be repaired."""

import asyncio
import os
import random
import sys
import threading
import time

# Devices of GPUs: a process that uses one does not survive a fork.
_GPU = ("/dev/nvidia", "/dev/kfd", "/dev/dri/")


def obstacle():
    """Why this process must not be forked; empty if it may be.

    A fork copies one thread. The others are missing in the copy, so nothing releases
    the locks that they hold.
    """
    threads = _others()
    if threads:
        ours = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
        native = "started by native code" if not ours else ", ".join(sorted(ours)[:5])
        return "after init it has %d more thread(s): %s" % (threads, native)
    for _, target in _descriptors():
        if target.startswith(_GPU):
            return "after init it uses a GPU (%s)" % target
    return ""


def _others():
    """The number of other threads. One that has just been joined may take a moment to disappear."""
    count = 0
    for _ in range(20):
        try:
            count = len(os.listdir("/proc/self/task")) - 1
        except OSError:
            count = threading.active_count() - 1
        if count == 0:
            break
        time.sleep(0.01)
    return count


def _descriptors():
    """The open files of this process, as (number, target); empty if they cannot be listed."""
    found = []
    try:
        numbers = os.listdir("/proc/self/fd")
    except OSError:
        return found
    for number in numbers:
        try:
            found.append((int(number), os.readlink("/proc/self/fd/" + number)))
        except OSError:
            pass  # that of the listing, which is closed
    return found


def sockets(own):
    """The number of open sockets other than own."""
    return sum(target.startswith("socket:") and number != own for number, target in _descriptors())


def close(loop):
    """Close init's event loop; return how many tasks it still had."""
    left = len(asyncio.all_tasks(loop))
    loop.close()
    asyncio.set_event_loop(None)
    return left


def reseed():
    """Give a forked process its own random states. Those in objects of the node cannot be found."""
    random.seed()
    for name, function in (("numpy.random", "seed"), ("torch", "seed")):
        module = sys.modules.get(name)
        if module is not None:
            getattr(module, function, lambda: None)()
