package pyrunner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// probePatience limits the time of an interpreter to import protobuf. A cold start from
// a slow disk takes seconds.
const probePatience = 20 * time.Second

// fallbackPython is the interpreter for which the distribution's package manager
// installs packages, whichever is first on PATH.
const fallbackPython = "/usr/bin/python3"

// FindPython returns the interpreter that runs nodes: KRT_PYTHON, else the first
// python3 of the active virtual environment (VIRTUAL_ENV) or on PATH that is 3.9 or
// later and can import google.protobuf, else /usr/bin/python3 if that can. The error
// lists the candidates and how to install what is missing. FindPython starts each
// candidate: call it once, and pass the result on as KRT_PYTHON.
func FindPython(env func(string) string) (path string, err error) {
	if named := env(environment.Python); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("cannot find the Python interpreter: KRT_PYTHON is %s, which does not exist", named)
			}
			return "", fmt.Errorf("cannot find the Python interpreter: KRT_PYTHON: %w", err)
		}
		return path, nil
	}
	var tried []error
	for _, candidate := range candidates(env("VIRTUAL_ENV"), env("PATH")) {
		if err := Probe(candidate); err != nil {
			tried = append(tried, err)
			continue
		}
		return candidate, nil
	}
	if len(tried) == 0 {
		return "", errors.New("cannot find Python: there is no python3 on PATH; install Python 3.9 or later and its package protobuf, " +
			"or set KRT_PYTHON (Debian, Ubuntu: apt-get install python3-protobuf)")
	}
	return "", fmt.Errorf("cannot find a Python with protobuf: install it (Debian, Ubuntu: apt-get install python3-protobuf; "+
		"elsewhere: python3 -m pip install protobuf) or set KRT_PYTHON: %w", errors.Join(tried...))
}

// PassedOver returns, for each virtual environment that users may expect to be used but
// that python, the result of FindPython, is not in, why and what to do: for the active
// one, and for those in the bundle's folder dir, whose programs are not run.
func PassedOver(env func(string) string, dir, python string) (notes []string) {
	within := func(folder string) bool { return strings.HasPrefix(python, folder+string(filepath.Separator)) }
	active := env("VIRTUAL_ENV")
	if active = filepath.Clean(active); filepath.IsAbs(active) && !within(active) {
		own := filepath.Join(active, "bin", "python3")
		why := "KRT_PYTHON names another interpreter"
		if env(environment.Python) == "" {
			why = "it has no bin/python3"
			if err := Probe(own); err != nil && isProgram(own) {
				why = fmt.Sprintf("%v; install protobuf in it: %s -m pip install protobuf", err, own)
			}
		}
		notes = append(notes, fmt.Sprintf("the active virtual environment %s is not used: %s", active, why))
	}
	for _, name := range []string{".venv", "venv"} {
		folder := filepath.Join(dir, name)
		if own := filepath.Join(folder, "bin", "python3"); folder != active && isProgram(own) && !within(folder) {
			note := fmt.Sprintf("the virtual environment %s in the bundle is not used: set KRT_PYTHON=%s to run nodes with it", name, own)
			notes = append(notes, note)
		}
	}
	return notes
}

func isProgram(file string) bool {
	info, err := os.Stat(file)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// candidates returns the python3 of the virtual environment, those on path in its order,
// and the fallback, each once.
func candidates(virtual, path string) []string {
	var found []string
	seen := map[string]bool{}
	add := func(file string) {
		if !isProgram(file) || seen[file] {
			return
		}
		seen[file] = true
		found = append(found, file)
	}
	for _, dir := range append([]string{filepath.Join(virtual, "bin")}, filepath.SplitList(path)...) {
		if filepath.IsAbs(dir) {
			add(filepath.Join(dir, "python3"))
		}
	}
	add(fallbackPython)
	return found
}

// probeCode imports protobuf as a node would, but not from the working directory of this
// program: that may be a bundle, whose code runs only in its nodes.
const probeCode = `import sys
sys.path[:] = [folder for folder in sys.path if folder]
if sys.version_info < (3, 9): sys.exit("Python %d.%d is older than 3.9" % sys.version_info[:2])
try: import google.protobuf
except ImportError as e: sys.exit(str(e))`

// Probe returns why the interpreter cannot run nodes: it is older than Python 3.9, has no protobuf, or does
// not start. It takes at most about 20 seconds. [FindPython] does not probe the one that KRT_PYTHON names.
func Probe(python string) error {
	ctx, cancel := context.WithTimeout(context.Background(), probePatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", probeCode)
	cmd.Env = withoutHere(os.Environ())
	cmd.WaitDelay = time.Second // python3 may be a script whose child keeps the output open
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(string(out))
	if text == "" {
		text = err.Error()
	}
	return fmt.Errorf("%s: %s", python, text)
}

// withoutHere is env with a PYTHONPATH that does not lead to the working directory, as an empty or a relative
// element does: of what is found by it, Python runs sitecustomize when it starts.
func withoutHere(env []string) []string {
	const name = "PYTHONPATH="
	var own []string
	for _, pair := range env {
		if path, found := strings.CutPrefix(pair, name); found {
			folders := slices.DeleteFunc(filepath.SplitList(path), func(folder string) bool { return !filepath.IsAbs(folder) })
			pair = name + strings.Join(folders, string(filepath.ListSeparator))
		}
		own = append(own, pair)
	}
	return own
}
