"""Runs pip to install wheels for another machine: "python -c THIS TARGET install ...".

TARGET is JSON, what markers of requirements (PEP 508) find there: pip itself asks the machine that it runs on.
"""
import importlib.util
import json
import os
import runpy
import site
import sys

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "pty.spawn")


def find_keyring():
    """Returns where the keyring of this interpreter's own packages is, and None if it has none.

    One that is found elsewhere, by PYTHONPATH say, could be the bundle's.
    """
    spec = importlib.util.find_spec("keyring")
    if spec is None or not spec.origin:
        return None
    folder = os.path.dirname(spec.origin)
    own = {os.path.realpath(at) for at in [*site.getsitepackages(), site.getusersitepackages()]}
    return folder + os.sep if os.path.realpath(os.path.dirname(folder)) in own else None


def asks_keyring(event, args):
    """Tells whether pip asks for a password: by the program keyring, or by its package, which may start others."""
    if event == "subprocess.Popen" and os.path.basename(str(args[0])) == "keyring":
        return True
    frame = sys._getframe() if keyring else None
    while frame and not frame.f_code.co_filename.startswith(keyring):
        frame = frame.f_back
    return frame is not None


def no_builds(event, args):
    """Lets pip start no program: its builds are some.

    Requirements that lead to one are refused before; this holds for what their own requirements lead to. Who
    is asked for a password is no build.
    """
    if event in STARTS and not asks_keyring(event, args):
        raise PermissionError("a package would be built, which runs its code: only wheels are installed")


target = json.loads(sys.argv.pop(1))
keyring = find_keyring()
try:
    from pip._vendor.packaging import markers

    here = markers.default_environment
    markers.default_environment = lambda: {**here(), **target}
except (ImportError, AttributeError):
    pass  # a pip made of other parts: markers hold for this machine
sys.addaudithook(no_builds)
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
