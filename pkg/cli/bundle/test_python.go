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

// Results that runTests writes, apart from 0 and 1.
const (
	noTestRan  = "3"
	needPytest = "4"
	allSkipped = "5"
)

// errEndedEarly is returned if Python exited with 0 before its tests ended.
var errEndedEarly = errors.New("not all tests ran: Python exited before they ended")

// errNothingRan is returned for test files in which no test ran.
var errNothingRan = errors.New("there are test files, but no test ran")

// errAllSkipped is returned for tests that were all skipped, as when there is no GPU.
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

// judge returns the result of tests that ended with err and may have written a result.
func judge(err error, result, python string) error {
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		return err
	}
	text, unread := os.ReadFile(result)
	switch {
	case unread != nil:
		return term.WithHint(errEndedEarly, "A test, or something it imports, exits Python, for example with os._exit or sys.exit.")
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
