"""What a fork after init does to a node, and what can be done about it."""

import asyncio
import os
import random
import sys
import threading
import time

# Devices of GPUs: what talks to them does not survive a fork.
_GPU = ("/dev/nvidia", "/dev/kfd", "/dev/dri/")


def obstacle():
    """Why this process must not be forked, empty if it may be.

    A fork copies one thread: the others are missing in the copy, and so is
    whoever would release the locks that they hold.
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
    """The number of threads besides this one. One that has just been joined may take a moment to go."""
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
    """This process's open files: number and what it leads to; none where that cannot be known."""
    found = []
    try:
        numbers = os.listdir("/proc/self/fd")
    except OSError:
        return found
    for number in numbers:
        try:
            found.append((int(number), os.readlink("/proc/self/fd/" + number)))
        except OSError:
            pass  # that of the listing itself
    return found


def sockets(own):
    """The number of open sockets besides own."""
    return sum(target.startswith("socket:") and number != own for number, target in _descriptors())


def close(loop):
    """Close init's event loop; return how many tasks it still had."""
    left = len(asyncio.all_tasks(loop))
    loop.close()
    asyncio.set_event_loop(None)
    return left


def reseed():
    """Give a forked process random states of its own. Those in objects of the node's cannot be found."""
    random.seed()
    for name, function in (("numpy.random", "seed"), ("torch", "seed")):
        module = sys.modules.get(name)
        if module is not None:
            getattr(module, function, lambda: None)()
