package bundle

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// runTests is the program that runs the tests of a Python node.
//
//go:embed run_tests.py
var runTests []byte

// What runTests writes as its result, besides 0 and 1.
const (
	noTestRan  = "3"
	needPytest = "4"
	allSkipped = "5"
)

// errEndedEarly says that Python ended well before its tests did.
var errEndedEarly = errors.New("not all tests ran: Python ended before")

// errNothingRan says that there are test files and no test in them ran.
var errNothingRan = errors.New("there are test files, but no test ran")

// errAllSkipped says that the tests are there and skip themselves, as for want of a GPU.
var errAllSkipped = errors.New("all tests were skipped")

func (t *tester) testPython(ctx context.Context, s source) error {
	folder := filepath.Join(t.bundle.Dir, filepath.FromSlash(s.folder))
	if err := wantFile(folder, "test*.py", "*_test.py"); err != nil {
		return err
	}
	if err := t.preparePython(ctx); err != nil {
		return err
	}
	program := filepath.Join(t.temp, "run_tests.py")
	if err := os.WriteFile(program, runTests, 0o600); err != nil {
		return err
	}
	result := filepath.Join(t.temp, "result")
	if err := os.RemoveAll(result); err != nil {
		return err
	}
	cmd := t.command(ctx, t.python, program, folder, result)
	// As in a runner: the bundle's root is the working directory, the node's folder is on the path.
	cmd.Dir = t.bundle.Dir
	cmd.Env = append(os.Environ(), "PYTHONPATH="+t.pythonPath, "PYTHONDONTWRITEBYTECODE=1", environment.BasePath+"="+t.bundle.Dir)
	return judge(run(cmd), result, t.python)
}

// judge says what came of tests that ended with err and wrote a result, or did not.
func judge(err error, result, python string) error {
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		return err
	}
	text, unread := os.ReadFile(result)
	switch {
	case unread != nil:
		return term.WithHint(errEndedEarly, "A test, or what it imports, ends Python itself, such as by os._exit or sys.exit.")
	case err == nil:
		return nil
	case string(text) == noTestRan:
		return term.WithHint(errNothingRan, "Tests are functions named test_*, or methods of that name in a unittest.TestCase.")
	case string(text) == allSkipped:
		return errAllSkipped
	case string(text) == needPytest:
		return term.WithHint(errors.New("some tests need pytest"), "Install it for that Python: %s -m pip install pytest", python)
	}
	return fmt.Errorf("%w: %w", errTestsFailed, err)
}
