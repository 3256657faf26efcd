"""Runs pip to install wheels for another machine: "python -c THIS TARGET install ...".

TARGET is JSON: the values of environment markers (PEP 508) on that machine. pip itself uses those of the machine that it runs on.
"""
import importlib.util
import json
import os
import runpy
import site
import sys

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "pty.spawn")
CHANGES = ("os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.chmod", "os.chown")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# pip installs into a folder of its own in PLACE, and moves the result.
PLACE = os.path.join(os.path.realpath(os.getcwd()), "")
unpacking = False


def find_keyring():
    """Returns the folder of the package keyring among this interpreter's own packages, None if there is none.

    One that is found elsewhere, such as by PYTHONPATH, could be the bundle's.
    """
    spec = importlib.util.find_spec("keyring")
    if spec is None or not spec.origin:
        return None
    folder = os.path.dirname(spec.origin)
    own = {os.path.realpath(at) for at in [*site.getsitepackages(), site.getusersitepackages()]}
    return folder + os.sep if os.path.realpath(os.path.dirname(folder)) in own else None


def asks_keyring(event, args):
    """Returns whether pip is reading a password: by the program keyring, or by its package, which may start others."""
    if event == "subprocess.Popen" and os.path.basename(str(args[0])) == "keyring":
        return True
    frame = sys._getframe() if keyring else None
    while frame and not frame.f_code.co_filename.startswith(keyring):
        frame = frame.f_back
    return frame is not None


def no_builds(event, args):
    """Prevents pip from starting programs, as its builds do.

    Requirements that need a build are refused before pip starts; this is for the requirements of those. A keyring
    that is asked for a password is not a build.
    """
    if event in STARTS and not asks_keyring(event, args):
        raise PermissionError("a package would be built, which runs its code: only wheels are installed")


def no_strays(event, args):
    """Prevents a wheel from being unpacked outside of PLACE."""
    if not unpacking or not (event in CHANGES or event == "open" and args[2] & WRITES):
        return
    for path in args[:2] if event in ("os.rename", "os.link", "os.symlink") else args[:1]:
        if not isinstance(path, int) and not os.path.realpath(os.fsdecode(path)).startswith(PLACE):
            raise PermissionError("a wheel would write %r, outside of the folder it is installed in" % os.fsdecode(path))


def guard():
    """Removes from pip what wheels must not use: scripts, which images do not need, and requirements by URL."""
    from pip._internal.exceptions import InstallationError
    from pip._internal.operations.install import wheel
    from pip._internal.req import req_install
    from pip._vendor.packaging.requirements import Requirement

    # A script is written to its name, whatever folder that names.
    wheel.get_entrypoints = lambda *_: ({}, {})
    install, read = req_install.install_wheel, Requirement.__init__

    def install_wheel(*args, **kwargs):
        global unpacking
        unpacking = True
        try:
            return install(*args, **kwargs)
        finally:
            unpacking = False

    def read_requirement(self, *args, **kwargs):
        read(self, *args, **kwargs)
        if self.url:
            raise InstallationError(
                "a package requires %r, from a URL of its own: build it with a requirement of the form NAME==VERSION" % str(self)
            )

    req_install.install_wheel = install_wheel
    Requirement.__init__ = read_requirement


target = json.loads(sys.argv.pop(1))
keyring = find_keyring()
try:
    from pip._vendor.packaging import markers

    here = markers.default_environment
    markers.default_environment = lambda: {**here(), **target}
except (ImportError, AttributeError):
    pass  # another version of pip: markers have the values of this machine
try:
    guard()
except (ImportError, AttributeError) as error:
    sys.exit("ERROR: this pip cannot be prevented from writing elsewhere (%s): install pip 20 or later" % error)
sys.addaudithook(no_builds)
sys.addaudithook(no_strays)
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
