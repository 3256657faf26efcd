"""Modules *_pb2 generated from the bundle's protos, in place of missing or refused ones."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

import google.protobuf
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from _krt_runner import logs, tracebacks


def install(folder):
    """Look for *_pb2 modules in folder after the node's own; empty means none."""
    if not folder:
        return
    made = {}
    for path, _, files in os.walk(folder):
        for file in files:
            if file.endswith("_pb2.py"):
                full = os.path.join(path, file)
                made[os.path.relpath(full, folder)[:-3].replace(os.sep, ".")] = full
    if made:
        sys.meta_path.insert(0, _Finder(made))
        sys.path.append(folder)  # for the packages that modules in subfolders are in


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the node's own module first, and the generated one if there is none or it does not load."""

    def __init__(self, made):
        self._made = made

    def find_spec(self, name, path=None, target=None):
        ours = self._ours(name)
        if ours is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        own = self._made[ours]
        if spec is None or spec.loader is None or spec.origin == own:
            if ours == name:
                logs.emit("I", "%s is missing: generated from the bundle's proto" % _file(name))
            loader = _Alias(ours) if ours != name else _Made(name, own)
            return importlib.util.spec_from_loader(name, loader, origin=own)
        spec.loader = _Wary(spec.loader, own)
        return spec

    def _ours(self, name):
        """The module generated for name: with that path, or the only one with that file name."""
        if not name.endswith("_pb2"):
            return None
        if name in self._made:
            return name
        last = name.rpartition(".")[2]
        same = [m for m in self._made if m.rpartition(".")[2] == last]
        return same[0] if len(same) == 1 else None


class _Alias(importlib.abc.Loader):
    """Loads a generated module under another name, so that its classes are the same."""

    def __init__(self, name):
        self._name = name

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        sys.modules[module.__name__] = importlib.import_module(self._name)


class _Made(importlib.machinery.SourceFileLoader):
    """Runs a generated module, and explains if protobuf is too old for it."""

    def exec_module(self, module):
        try:
            super().exec_module(module)
        except TypeError as error:
            raise _explained(error, self.path) from None


def _explained(error, made):
    """An error that explains that protobuf does not support editions; error itself if that is not the cause."""
    with open(made, encoding="utf-8") as file:
        if "b\\x08editions" not in file.read():  # a descriptor with an edition
            return error
    return ImportError(
        "the proto of %s has an edition, which the installed protobuf %s does not know: install protobuf 5.28 or later,"
        ' or write syntax = "proto3" in the proto' % (os.path.basename(made), google.protobuf.__version__)
    )


class _Wary(importlib.abc.Loader):
    """Runs the node's own module or, if protobuf refuses it, the generated one in its place."""

    def __init__(self, loader, made):
        self._loader = loader
        self._made = made

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        kept = dict(module.__dict__)
        try:
            self._loader.exec_module(module)
            return
        except Exception as error:
            reason = tracebacks.last_line(error)
        logs.emit("W", "%s is refused by protobuf %s (%s): generated from the bundle's proto instead"
                  % (_file(module.__name__), google.protobuf.__version__, reason.splitlines()[0]))
        module.__dict__.clear()
        module.__dict__.update(kept)
        with open(self._made, "rb") as file:
            code = compile(file.read(), self._made, "exec")
        before = descriptor_pool.Default
        descriptor_pool.Default = lambda: _Pool(before())
        try:
            exec(code, module.__dict__)
        except TypeError as error:
            raise _explained(error, self._made) from None
        finally:
            descriptor_pool.Default = before


class _Pool:
    """The pool of descriptors, in which a refused module may have left its file.

    If that file differs from the bundle's proto, in its name or its content, a second
    one cannot be added to the pool, and the first is used.
    """

    def __init__(self, pool):
        self._pool = pool
        self._left = {}

    def AddSerializedFile(self, data):
        try:
            return self._pool.AddSerializedFile(data)
        except TypeError:
            self._left = self._find(FileDescriptorProto.FromString(data))
            if not self._left:
                raise

    def _find(self, wanted):
        try:
            return {wanted.name: self._pool.FindFileByName(wanted.name)}
        except KeyError:
            pass
        prefix = wanted.package + "." if wanted.package else ""
        for declared in list(wanted.message_type) + list(wanted.enum_type):
            try:
                return {wanted.name: self._pool.FindFileContainingSymbol(prefix + declared.name)}
            except KeyError:
                continue
        return {}

    def FindFileByName(self, name):
        return self._left.get(name) or self._pool.FindFileByName(name)

    def __getattr__(self, name):
        return getattr(self._pool, name)


def _file(name):
    return name.replace(".", "/") + ".py"
