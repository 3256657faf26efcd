package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

// stopDelay is how long a test that was told to stop may take to end.
const stopDelay = 3 * time.Second

// tester runs the tests of a bundle's nodes.
type tester struct {
	streams Streams
	bundle  *krt.Bundle
	// temp holds what the tests need and the bundle lacks.
	temp string
	// python and pythonPath are found when a first Python node is tested.
	python, pythonPath string
}

func newTester(s Streams, b *krt.Bundle) (*tester, error) {
	temp, err := os.MkdirTemp("", "kn-krt-test-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a place for test files: %w", err)
	}
	return &tester{streams: s, bundle: b, temp: temp}, nil
}

func (t *tester) close() { _ = os.RemoveAll(t.temp) }

// errNoTests says that a source folder has no tests.
var errNoTests = errors.New("no tests")

// test runs the tests of one folder; the error says that they failed, could not
// be run, or are not there (errNoTests).
func (t *tester) test(ctx context.Context, s source) error {
	if s.kind == krt.KindGoSource {
		return t.testGo(ctx, s)
	}
	return t.testPython(ctx, s)
}

func (t *tester) testGo(ctx context.Context, s source) error {
	folder := filepath.Join(t.bundle.Dir, filepath.FromSlash(s.folder))
	if err := wantFile(folder, "*_test.go"); err != nil {
		return err
	}
	gocmd, err := exec.LookPath("go")
	if err != nil {
		return gobuild.ErrNoGo
	}
	flags, err := gobuild.TestFlags(ctx, gobuild.Target{Folder: folder, Bundle: t.bundle.Dir}, t.temp)
	if err != nil {
		return err
	}
	cmd := t.command(ctx, gocmd, slices.Concat([]string{"test"}, flags, []string{"./..."})...)
	cmd.Dir = folder
	cmd.Env = append(gobuild.Environ(os.Environ(), runtime.GOOS, runtime.GOARCH), "KRT_BASE_PATH="+t.bundle.Dir)
	return run(cmd)
}

func (t *tester) testPython(ctx context.Context, s source) error {
	folder := filepath.Join(t.bundle.Dir, filepath.FromSlash(s.folder))
	if err := wantFile(folder, "test*.py"); err != nil {
		return err
	}
	if err := t.preparePython(ctx); err != nil {
		return err
	}
	cmd := t.command(ctx, t.python, "-m", "unittest", "discover", "-s", folder, "-t", folder)
	// As in a runner: the bundle's root is the working directory, the node's folder is on the path.
	cmd.Dir = t.bundle.Dir
	cmd.Env = append(os.Environ(), "PYTHONPATH="+t.pythonPath, "PYTHONDONTWRITEBYTECODE=1", "KRT_BASE_PATH="+t.bundle.Dir)
	return run(cmd)
}

// preparePython finds Python and writes what a runner would give to a node:
// package krt, and the pb2 modules that the bundle may lack.
func (t *tester) preparePython(ctx context.Context) error {
	if t.python != "" {
		return nil
	}
	python, err := pyrunner.FindPython(os.Getenv)
	if err != nil {
		return err
	}
	for _, note := range pyrunner.PassedOver(os.Getenv, t.bundle.Dir, python) {
		fmt.Fprintln(t.streams.Err, "warning: "+note)
	}
	shim, modules := filepath.Join(t.temp, "shim"), filepath.Join(t.temp, "pb2")
	if err := pyrunner.WriteShim(shim); err != nil {
		return err
	}
	all, err := schema.CompileAll(ctx, t.bundle.FS(), schema.Options{})
	if err != nil {
		return err
	}
	files, err := gen.Python(all)
	if err != nil {
		return err
	}
	if err := os.Mkdir(modules, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(modules)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if err := writeFile(root, f.Path, f.Content); err != nil {
			return err
		}
	}
	search := []string{shim, modules}
	if own := os.Getenv("PYTHONPATH"); own != "" {
		search = append(search, own)
	}
	t.python, t.pythonPath = python, strings.Join(search, string(os.PathListSeparator))
	return nil
}

// command is a child process that ends with ctx.
func (t *tester) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = t.streams.Out, t.streams.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopDelay
	return cmd
}

// errTestsFailed says that tests ran and failed, and have said why themselves.
var errTestsFailed = errors.New("tests failed")

func run(cmd *exec.Cmd) error {
	err := cmd.Run()
	var status *exec.ExitError
	if errors.As(err, &status) && status.Exited() {
		return errTestsFailed
	}
	return err
}

// wantFile returns errNoTests unless a file whose name matches pattern stands in
// folder or below it.
func wantFile(folder, pattern string) error {
	found := false
	err := filepath.WalkDir(folder, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if found, err = path.Match(pattern, entry.Name()); found {
			return filepath.SkipAll
		}
		return err
	})
	if err == nil && !found {
		return fmt.Errorf("%w: no file %s", errNoTests, pattern)
	}
	return err
}

// writeFile writes a file and the folders it stands in, all below root.
func writeFile(root *os.Root, name string, content []byte) error {
	name = filepath.FromSlash(name)
	return errors.Join(root.MkdirAll(filepath.Dir(name), 0o755), root.WriteFile(name, content, 0o644))
}
