"""Runs pip to install wheels for another machine: "python -c THIS TARGET install ...".

TARGET is JSON, what markers of requirements (PEP 508) find there: pip itself asks the machine that it runs on.
"""
import json
import os
import runpy
import sys

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "pty.spawn")


def no_builds(event, args):
    """Lets pip start no program: its builds are some.

    Requirements that lead to one are refused before; this holds for what their own requirements lead to. Who
    is asked for a password is no build.
    """
    if event in STARTS and not (event == "subprocess.Popen" and os.path.basename(str(args[0])) == "keyring"):
        raise PermissionError("a package would be built, which runs its code: only wheels are installed")


target = json.loads(sys.argv.pop(1))
try:
    from pip._vendor.packaging import markers

    here = markers.default_environment
    markers.default_environment = lambda: {**here(), **target}
except (ImportError, AttributeError):
    pass  # a pip made of other parts: markers hold for this machine
sys.addaudithook(no_builds)
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
