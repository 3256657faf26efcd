package bundle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner/environment"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

// stopDelay is how long an interrupted test may take to exit.
const stopDelay = 3 * time.Second

// tester runs the tests of a bundle's nodes.
type tester struct {
	streams term.Streams
	bundle  *krt.Bundle
	// temp is a folder for what the tests need and the bundle lacks.
	temp string
	// python and pythonPath are set when the first Python node is tested.
	python, pythonPath string
}

func newTester(s term.Streams, b *krt.Bundle) (*tester, error) {
	temp, err := os.MkdirTemp("", "kn-krt-test-")
	if err != nil {
		return nil, fmt.Errorf("cannot create a folder for test files: %w", err)
	}
	return &tester{streams: s, bundle: b, temp: temp}, nil
}

func (t *tester) close() { _ = os.RemoveAll(t.temp) }

// errNoTests is returned for a source folder without tests.
var errNoTests = errors.New("no tests")

// test runs the tests of one folder. It returns an error if they failed or could not be
// run, or errNoTests.
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
	target := gobuild.Target{Folder: folder, Bundle: t.bundle.Dir}
	flags, err := gobuild.TestFlags(ctx, target, t.temp)
	if err != nil {
		return err
	}
	env, remove, err := gobuild.Scratch(gobuild.Environ(os.Environ(), runtime.GOOS, runtime.GOARCH))
	if err != nil {
		return err
	}
	defer remove()
	cmd := t.command(ctx, gocmd, slices.Concat([]string{"test"}, flags, []string{"./..."})...)
	cmd.Dir, cmd.Env = folder, append(env, environment.BasePath+"="+t.bundle.Dir)
	passed, unused := false, ""
	cmd.Stderr = io.MultiWriter(cmd.Stderr, &child.Lines{Most: maxVerdict, Drop: true, Each: func(line string) {
		unused = cmp.Or(unused, gobuild.Unused(target, line))
	}})
	cmd.Stdout = io.MultiWriter(cmd.Stdout, &child.Lines{Most: maxVerdict, Drop: true, Each: func(line string) {
		passed = passed || isVerdict(line)
	}})
	if err := run(cmd); err != nil || passed {
		if err != nil && unused != "" {
			fmt.Fprintln(t.streams.Err, unused)
		}
		return err
	}
	return term.WithHint(errNothingRan, "Tests are functions func TestName(t *testing.T).")
}

// preparePython finds Python and writes what a runner provides to a node: package krt,
// and the pb2 modules that the bundle may lack.
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
	all, err := schema.CompileAll(ctx, t.bundle.FS(), schema.Options{Entry: t.bundle.Manifest.Entrypoint.Proto})
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
	defer func() { _ = root.Close() }()
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
	return cmd
}

// errTestsFailed is returned for tests that failed and have printed why.
var errTestsFailed = errors.New("tests failed")

// run runs cmd. If it exits with a code other than 0, the error wraps errTestsFailed.
func run(cmd *exec.Cmd) error {
	err := child.Run(cmd, stopDelay)
	var status *exec.ExitError
	if errors.As(err, &status) && status.Exited() {
		return fmt.Errorf("%w: %w", errTestsFailed, err)
	}
	return err
}

// wantFile returns errNoTests unless a file in folder or below it matches one of patterns.
// Hidden files and virtual environments do not count.
func wantFile(folder string, patterns ...string) error {
	found := false
	err := filepath.WalkDir(folder, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch hidden := strings.HasPrefix(entry.Name(), "."); {
		case entry.IsDir():
			_, venv := os.Stat(filepath.Join(name, "pyvenv.cfg"))
			if name != folder && (hidden || entry.Name() == "node_modules" || venv == nil) {
				return filepath.SkipDir
			}
			return nil
		case hidden:
			return nil
		}
		found, err = matchesAny(entry.Name(), patterns)
		if found {
			return filepath.SkipAll
		}
		return err
	})
	if err == nil && !found {
		return fmt.Errorf("%w: no file %s", errNoTests, strings.Join(patterns, " or "))
	}
	return err
}

func matchesAny(name string, patterns []string) (bool, error) {
	for _, pattern := range patterns {
		if found, err := path.Match(pattern, name); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// maxVerdict is how much of a line is read to see the result of a package, in bytes.
const maxVerdict = 4096

// isVerdict reports whether a line of go test is the result of a package whose tests ran
// and passed.
func isVerdict(line string) bool {
	return strings.HasPrefix(line, "ok  \t") && !strings.Contains(line, "[no test")
}

// writeFile writes a file and its folders, all below root.
func writeFile(root *os.Root, name string, content []byte) error {
	name = filepath.FromSlash(name)
	return errors.Join(root.MkdirAll(filepath.Dir(name), 0o755), root.WriteFile(name, content, 0o644))
}
