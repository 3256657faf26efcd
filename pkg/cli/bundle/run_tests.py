"""Runs the tests of a Python node. kn-krt test starts it with the node's folder and a file for the result.

Tests are in files test*.py and *_test.py that are not hidden, as TestCase classes or as functions
test_*. pytest runs them if it is installed, else unittest does. Exits with 0 if all
passed, 1 if not, 3 if there are none, 4 if some need pytest, 5 if all were skipped, and
writes that number into the file, because code under test may exit with any number.
"""

import asyncio
import fnmatch
import importlib.util
import inspect
import os
import sys
import unittest

PASSED, FAILED, NONE, NEED_PYTEST, ALL_SKIPPED = 0, 1, 3, 4, 5
PATTERNS = ("test*.py", "[!.]*_test.py", "_test.py")  # macOS creates ._main_test.py next to main_test.py
SKIPPED = {"__pycache__", "node_modules", "venv"}


def find(folder):
    """The test files in folder and below it, sorted."""
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(
            f for f in folders
            if f not in SKIPPED and not f.startswith(".") and not os.path.exists(os.path.join(path, f, "pyvenv.cfg"))
        )
        for name in sorted(files):
            if any(fnmatch.fnmatch(name, pattern) for pattern in PATTERNS):
                yield os.path.join(path, name)


def with_pytest(pytest, folder):
    """pytest's own discovery, with unittest's names of files added to its own."""
    ran = Ran()
    # No cache and no __pycache__: the bundle's folder is only read.
    args = ["-p", "no:cacheprovider", "-o", "python_files=" + " ".join(PATTERNS), folder]
    loose = [path for path in find(folder) if not os.path.exists(os.path.join(os.path.dirname(path), "__init__.py"))]
    if len({os.path.basename(path) for path in loose}) < len(loose):
        # Files of one name, in no packages, would be one module.
        args.append("--import-mode=importlib")
        sys.path[1:1] = sorted({os.path.dirname(path) for path in loose} - {folder})
    code = pytest.main(args, plugins=[ran])
    if code == 5 or code == 0 and not ran.count:
        return none_ran(ran.skipped)
    return PASSED if code == 0 else FAILED


def none_ran(skipped):
    """Skipped tests, as for want of a GPU, are not a failure; having no tests is one."""
    if not skipped:
        return NONE
    print("%d skipped, none ran" % skipped)
    return ALL_SKIPPED


class Ran:
    """Counts the tests that pytest has called, and those that it has skipped.

    It also runs async tests that no other plugin runs.
    """

    def __init__(self):
        self.count = self.skipped = 0

    def pytest_runtest_logreport(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped += 1
        elif report.when == "call":
            self.count += 1

    def pytest_collectreport(self, report):
        self.skipped += report.skipped

    def pytest_deselected(self, items):
        self.skipped += len(items)

    def pytest_pyfunc_call(self, pyfuncitem):
        if not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        asyncio.run(pyfuncitem.obj(**arguments))
        return True


class Loader:
    """Finds what unittest can run, and what it cannot."""

    def __init__(self, folder):
        self.folder = folder
        self.suite = unittest.TestSuite()
        self.unable = []
        self.skipped = 0  # files

    def load(self, path):
        """Add the tests of the file."""
        name = os.path.relpath(path, self.folder)[:-3].replace(os.sep, ".")
        if os.path.dirname(path) not in sys.path:
            sys.path.insert(1, os.path.dirname(path))
        try:
            module = sys.modules.get(name) or self.execute(name, path)
        except unittest.SkipTest:
            self.skipped += 1
            return
        except ModuleNotFoundError as error:
            if error.name != "pytest":
                raise
            self.unable.append("%s imports pytest" % os.path.relpath(path))
            return
        self.suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(module))
        for key, value in vars(module).items():
            if getattr(value, "__module__", None) != name:
                continue
            if key.startswith("test") and inspect.isfunction(value):
                self.function(value, path)
            elif key.startswith("Test") and inspect.isclass(value) and not issubclass(value, unittest.TestCase):
                if any(k.startswith("test") for k in vars(value)):
                    self.unable.append("%s: class %s is not a unittest.TestCase" % (os.path.relpath(path), key))

    def execute(self, name, path):
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    def function(self, test, path):
        """A function is a test of its own; one with parameters needs fixtures."""
        wanted = [p for p in inspect.signature(test).parameters.values() if p.default is p.empty]
        if wanted:
            self.unable.append("%s: %s takes %s" % (os.path.relpath(path), test.__name__, ", ".join(p.name for p in wanted)))
            return

        def call():
            result = test()
            if inspect.isawaitable(result):
                asyncio.run(wait(result))

        self.suite.addTest(unittest.FunctionTestCase(call, description="%s.%s" % (os.path.relpath(path), test.__name__)))


def fail_unawaited():
    """Make async tests of a plain TestCase fail: it would not await them, and pass."""
    call = unittest.TestCase._callTestMethod

    def checked(self, method):
        def run():
            result = method()
            if inspect.iscoroutine(result):
                result.close()
                self.fail("an async test of a plain TestCase does not run: derive the class from unittest.IsolatedAsyncioTestCase")
            return result

        call(self, run)

    unittest.TestCase._callTestMethod = checked


class Result(unittest.TextTestResult):
    """Counts the tests that ran: a class that is skipped as a whole did not."""

    ran = 0

    def startTest(self, test):
        super().startTest(test)
        self.ran += 1

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        whole = isinstance(test, unittest.TestCase) and not hasattr(test, "test_case")  # and no part of one
        self.ran -= whole


async def wait(awaitable):
    return await awaitable


def with_unittest(folder):
    loader = Loader(folder)
    broken = None
    for path in find(folder):
        try:
            loader.load(path)
        except Exception as error:
            broken = error
            sys.excepthook(type(error), error, error.__traceback__)
            print("cannot import %s" % os.path.relpath(path), file=sys.stderr)
    result = unittest.TextTestRunner(resultclass=Result).run(loader.suite)
    for text in loader.unable:
        print("cannot run without pytest: " + text, file=sys.stderr)
    if broken or not result.wasSuccessful():
        return FAILED
    if loader.unable:
        return NEED_PYTEST
    return PASSED if result.ran > 0 else none_ran(len(result.skipped) + loader.skipped)


def main(folder):
    sys.path[0] = folder
    fail_unawaited()
    try:
        import pytest
    except ImportError:
        pytest = None
    return with_pytest(pytest, folder) if pytest else with_unittest(folder)


if __name__ == "__main__":
    outcome = main(sys.argv[1])
    with open(sys.argv[2], "w") as file:
        file.write(str(outcome))
    sys.exit(outcome)
