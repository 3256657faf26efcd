"""Compiles files of packages, whose names it reads, for another place; none of their code runs."""
import sys

del sys.path[0]  # the working directory
import errno
import json
import os
import py_compile

try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))  # constants are computed, and may be long
except (ImportError, OSError, ValueError):
    pass

source, to, place = sys.argv[1:]
for name in json.load(sys.stdin.buffer):  # which is UTF-8 on every system
    folder, base = os.path.split(name)
    cached = os.path.join(to, folder, "__pycache__", "%s.%s.pyc" % (base[:-len(".py")], sys.implementation.cache_tag))
    os.makedirs(os.path.dirname(cached), exist_ok=True)
    try:
        py_compile.compile(os.path.join(source, name), cached, place + "/" + name, doraise=True,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, RecursionError, MemoryError, OverflowError, ValueError):
        pass  # for another Python, or only a template: whoever imports it is told
    except OSError as error:
        if error.errno not in (errno.EFBIG, errno.ENAMETOOLONG):
            raise
