package pip

import (
	"bytes"
	"cmp"
	"context"
	_ "embed" // for bytecode.py
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/runner/environment"
)

const (
	// compilers is how many processes compile. It is the same on every machine: what a file comes to depends, in
	// bits without a meaning, on what its process has compiled before.
	compilers = 4
	// maxSource is how large a file may be that is compiled, in bytes.
	maxSource = 8 << 20
	// compileTime bounds how long it may take.
	compileTime = 10 * time.Minute
	// askTime bounds how long an interpreter may take to say which one it is.
	askTime = 10 * time.Second
)

// bytecodeCode compiles files.
//
//go:embed bytecode.py
var bytecodeCode string

// Interpreter is a Python on this machine.
type Interpreter struct {
	// Path is its program, which needs nothing of the user's environment to be that one: what is found on PATH may choose by it.
	Path string
	// Build is all that it says of its version: what it compiles may differ from what another one does.
	Build string
}

// Matching returns the first CPython of this machine whose version is the given one ("3.12"), as nothing else
// makes bytecode for it; false if there is none.
func (i Installer) Matching(ctx context.Context, version string) (Interpreter, bool) {
	for _, name := range []string{cmp.Or(i.Python, os.Getenv(environment.Python)), "python" + version, "python3", "/usr/bin/python3"} {
		python, err := lookUp(name)
		if err != nil {
			continue
		}
		name, program := ask(ctx, python, askTime)
		if build, ok := strings.CutPrefix(name, "cpython "+version+" final "); ok {
			if filepath.IsAbs(program) {
				python = program
			}
			return Interpreter{python, strings.TrimSpace(build)}, true
		}
	}
	return Interpreter{}, false
}

// ask returns what an interpreter says of its name and version, and of the program that it is; nothing if it fails, or takes
// longer than patience.
func ask(ctx context.Context, python string, patience time.Duration) (name, program string) {
	const says = `import sys
print(sys.implementation.name, "%d.%d" % sys.version_info[:2], sys.version_info.releaselevel, sys.version.replace("\n", " "))
print(sys.executable)`
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	said := &tail{}
	cmd := exec.CommandContext(ctx, python, "-I", "-S", "-c", says)
	cmd.Dir, cmd.Stdout = string(filepath.Separator), said
	if child.Run(cmd, time.Second) != nil { // a shim may have started another program, which ends too
		return "", ""
	}
	name, program, _ = strings.Cut(string(said.text), "\n")
	return name, strings.TrimSpace(program)
}

// Compile writes the bytecode of the modules below folder to another folder, below the same names, for an image in which
// they are at place. It does not depend on times, and imports do not look whether the module has changed. What the
// interpreter does not compile is left out.
func (p Interpreter) Compile(ctx context.Context, folder, to, place string) error {
	modules, err := modules(folder)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, compileTime, fmt.Errorf("it takes longer than %s", compileTime))
	defer cancel()
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(runtime.GOMAXPROCS(0))
	for part := range compilers {
		var mine []string
		for at := part; at < len(modules); at += compilers {
			mine = append(mine, modules[at])
		}
		if len(mine) > 0 {
			all.Go(func() error { return p.compile(ctx, mine, folder, to, place) })
		}
	}
	return all.Wait()
}

// modules returns the names of the modules below folder, in their order, with slashes.
func modules(folder string) (names []string, err error) {
	err = filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "__pycache__" { // nothing is imported from there but bytecode
			return fs.SkipDir
		}
		if err != nil || !entry.Type().IsRegular() || filepath.Ext(name) != ".py" {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Size() > maxSource {
			return err
		}
		name, err = filepath.Rel(folder, name)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	slices.Sort(names)
	return names, err
}

func (p Interpreter) compile(ctx context.Context, names []string, folder, to, place string) error {
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	output := &tail{}
	cmd := exec.CommandContext(ctx, p.Path, "-S", "-s", "-W", "ignore", "-c", bytecodeCode, folder, to, place)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = to, bytes.NewReader(list), output, output
	// Nothing of the user's but what the program needs to start, and the order in which sets are written.
	cmd.Env = []string{"PYTHONHASHSEED=0"}
	for _, name := range []string{"SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	if err := child.Run(cmd, endDelay); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s: %s", p.Path, pipSays(string(output.text), err))
	}
	return nil
}
