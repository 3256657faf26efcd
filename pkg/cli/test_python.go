package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// runTests is the program that runs the tests of a Python node.
//
//go:embed run_tests.py
var runTests []byte

// What runTests ends with, besides 0 and 1.
const (
	noTestRan  = 3
	needPytest = 4
)

// errNothingRan says that there are test files and no test in them ran.
var errNothingRan = errors.New("there are test files, but no test ran")

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
	cmd := t.command(ctx, t.python, program, folder)
	// As in a runner: the bundle's root is the working directory, the node's folder is on the path.
	cmd.Dir = t.bundle.Dir
	cmd.Env = append(os.Environ(), "PYTHONPATH="+t.pythonPath, "PYTHONDONTWRITEBYTECODE=1", "KRT_BASE_PATH="+t.bundle.Dir)
	err := run(cmd)
	var status *exec.ExitError
	if !errors.As(err, &status) {
		return err
	}
	switch status.ExitCode() {
	case noTestRan:
		return withHint(errNothingRan, "Tests are functions named test_*, or methods of that name in a unittest.TestCase.")
	case needPytest:
		return withHint(errors.New("some tests need pytest"), "Install it for that Python: %s -m pip install pytest", t.python)
	}
	return fmt.Errorf("%w: %w", errTestsFailed, err)
}
