"""Compiles files of packages, whose names it reads, for another place; none of their code runs."""
import sys

del sys.path[0]  # the working directory
import errno
import importlib.util
import json
import marshal
import os

try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
except (ImportError, OSError, ValueError):
    pass

LONGEST = 64 << 20  # of what a file comes to, in bytes: constants are computed
MOST = 512 << 20  # of what all files of this process come to
UNCHECKED = 1  # the flags of PEP 552: by a hash of the source, with which it is not compared


def compiled(name):
    """Return the content of the file with the module's bytecode, None if it has none."""
    with open(os.path.join(source, name), "rb") as file:
        text = file.read()
    try:
        code = marshal.dumps(compile(text, place + "/" + name, "exec", dont_inherit=True))
    except Exception:  # the compiler's own mistakes too
        return None  # for another Python, or only a template: whoever imports it is told
    if len(code) > LONGEST:
        return None
    return importlib.util.MAGIC_NUMBER + UNCHECKED.to_bytes(4, "little") + importlib.util.source_hash(text) + code


source, to, place = sys.argv[1:]
written = 0
for name in json.load(sys.stdin.buffer):  # which is UTF-8 on every system
    content = compiled(name)
    if content is None:
        continue
    written += len(content)
    if written > MOST:
        sys.exit("a part of their modules comes to more than %d MiB of bytecode" % (MOST >> 20))
    folder, base = os.path.split(name)
    folder = os.path.join(to, folder, "__pycache__")
    os.makedirs(folder, exist_ok=True)
    try:
        # py_compile would leave the first part of what has no room on the disk.
        with open(os.path.join(folder, "%s.%s.pyc" % (base[:-len(".py")], sys.implementation.cache_tag)), "wb") as file:
            file.write(content)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
