"""The two kinds of process that the front starts: a worker, or a zygote from which workers are forked."""

import gc
import inspect
import json
import os
import select
import shutil
import signal
import socket
import sys

try:
    import google.protobuf
except ImportError as missing:
    sys.exit("%s cannot import google.protobuf (%s): install it, for example python3 -m pip install protobuf"
             % (sys.executable, missing))

from _krt_runner import ending, fork, frames, logs, pb2, tracebacks
from _krt_runner.node import Node, Refused
from _krt_runner.worker import Worker, new_loop, wait

FRONT = 3  # descriptor of what comes from the front, for a zygote the socket to it
TO_FRONT = 4  # of what goes to the front
_PR_SET_PDEATHSIG = 1


def main(mode, settings):
    settings = json.loads(settings)
    sys.argv = [settings["handler"]]
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the front handles Ctrl-C
    channel = frames.Channel(FRONT, FRONT if mode == "zygote" else TO_FRONT)
    logger = logs.install(settings["level"], "%s-%s" % (settings["version"], settings["node"]))
    # As in KRT V1 there is one event loop, which exists before the node's code is loaded.
    loop = new_loop()
    node = Node(settings, logger)
    _start(node, channel, settings, loop)
    gc.collect()
    gc.freeze()  # the objects of init stay: collections need not visit them, nor copy shared pages
    obstacle = ""
    if mode == "zygote":
        obstacle = fork.obstacle()
        if not obstacle:
            _Zygote(node, channel, settings).run(loop)
    logs.finish()
    _serve(node, channel, loop, obstacle)


def _start(node, channel, settings, loop):
    """Load the node and run init; report a failure to the front."""
    try:
        os.chdir(node.base_path)
        pb2.install(settings["pb2"])
        node.load()
        _init(node, loop)
        return
    except Refused as error:
        logs.emit("E", str(error))
        reason = str(error)
    except BaseException as error:
        logs.emit("E", tracebacks.text(error))
        reason = tracebacks.last_line(error)
    logs.finish()
    channel.send(frames.FAILED, 0, frames.clip(reason, 4096))
    _exit(1)


def _init(node, loop):
    """Run init. If the handler is async, the loop runs meanwhile, as in KRT V1."""
    if node.init is None:
        return

    async def run():
        result = node.init(node.initial)
        if inspect.isawaitable(result):
            await result

    if node.asynchronous:
        loop.run_until_complete(run())
        return
    result = node.init(node.initial)
    if inspect.isawaitable(result):
        loop.run_until_complete(wait(result))


def _serve(node, channel, loop, obstacle=""):
    worker = Worker(node, channel, loop)
    os.register_at_fork(after_in_child=worker.leave)
    worker.listen()
    try:
        channel.send(frames.READY, 0, frames.clip(obstacle, 1024))
        worker.serve()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the front is gone
    except BaseException as error:
        logs.emit("E", "worker: " + tracebacks.text(error))
        _exit(1)
    if worker.told_to_end:
        ending.run(loop)
    _exit(0)


def _exit(code):
    logs.finish()
    os._exit(code)


class _Zygote:
    """Holds the loaded node, and forks workers when the front commands it."""

    def __init__(self, node, channel, settings):
        self._node = node
        self._channel = channel
        self._front = socket.socket(fileno=channel.reads)
        self._scratch = settings["scratch"]
        self._children = {}  # pid -> worker's number
        self._prctl = _prctl()

    def run(self, loop):
        self._close(loop)
        wake, woken = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        # From here on the end of the socket means that the front is gone, and the whole
        # group is killed, not only this process.
        self._die_with_parent(0)
        logs.finish()
        try:
            self._channel.send(frames.READY, 0)
            self._obey(wake, woken)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the front is gone, and the end of a worker was detected first
        except BaseException as error:
            logs.emit("E", "zygote: " + tracebacks.text(error))
        self._end()

    def _obey(self, wake, woken):
        """Execute the front's commands until it is gone."""
        while True:
            ready, _, _ = select.select([self._front, wake], [], [])
            if wake in ready:
                os.read(wake, 4096)
                self._reap()
            if self._front in ready and not self._command(wake, woken):
                return

    def _close(self, loop):
        """Close the event loop, which does not survive a fork: each worker has its own."""
        self._node.before_fork()
        tasks = fork.close(loop)
        if tasks:
            self._node.logger.warning(
                "init left %d asyncio task(s) running: they end now, because the workers are forked (fork: true)", tasks)
        sockets = fork.sockets(self._front.fileno())
        if sockets:
            self._node.logger.warning(
                "init left %d connection(s) open: the workers, which are forked (fork: true), share them, "
                "and may read each other's responses; open them in the first call of the handler instead", sockets)

    def _reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self._children.pop(pid, None)
            if number is not None:
                self._channel.send(frames.EXITED, number, _how(status).encode())

    def _command(self, wake, woken):
        command, fds, _, _ = socket.recv_fds(self._front, frames.COMMAND.size, 3)
        if len(command) < frames.COMMAND.size:
            return False
        kind, number, argument = frames.COMMAND.unpack(command)
        if kind == frames.SPAWN:
            self._fork(number, fds, (wake, woken))
        elif kind == frames.SIGNAL:
            for pid, child in self._children.items():
                if child == number:
                    os.kill(pid, argument)
        elif kind == frames.STOP:
            self._stop()
        return True

    def _stop(self):
        """Stop the node: end this process, which ran init, in an orderly way."""
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        self._die_with_parent(signal.SIGKILL)  # the front limits the time of what follows
        ending.run(None)
        self._end()

    def _end(self):
        """End everything that this process has started, and this process."""
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)

    def _fork(self, number, fds, pipes):
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            text = "cannot fork: %s" % error.strerror
            for fd in fds:
                os.close(fd)
            self._channel.send(frames.EXITED, number, text.encode())
            return
        if pid:
            for fd in fds:
                os.close(fd)
            self._children[pid] = number
            return
        try:
            self._become_worker(zygote, fds, pipes)
        except BaseException as error:
            logs.emit("E", "worker: " + tracebacks.text(error))
        os._exit(1)

    def _become_worker(self, zygote, fds, pipes):
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in pipes:
            os.close(fd)
        self._front.close()
        reads, writes, output = fds
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        self._die_with_parent(signal.SIGKILL)
        if os.getppid() != zygote:
            os._exit(1)
        fork.reseed()
        channel = frames.Channel(reads, writes)
        _serve(self._node, channel, new_loop())

    def _die_with_parent(self, signum):
        if self._prctl is not None:
            self._prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


def _prctl():
    """prctl, if there is one (Linux); otherwise only the end of the socket ends this process."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes
        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def _how(status):
    if os.WIFSIGNALED(status):
        return "signal: %s" % _signal_name(os.WTERMSIG(status))
    return "exit status %d" % os.WEXITSTATUS(status)


def _signal_name(number):
    return (signal.strsignal(number) or str(number)).lower()
