// Package pip installs the Python packages that a node requires, for another machine: from wheels only,
// as nothing of a package's code runs where images are made.
package pip

import (
	"cmp"
	"context"
	_ "embed" // for pip.py
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"krt.dev/kn-krt/pkg/requirement"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// Errors of getting a node's requirements.
var (
	// ErrNoPip is returned when this machine has no Python with pip.
	ErrNoPip = errors.New("there is no Python with pip")
	// ErrNoIndex is returned when pip can reach no package index.
	ErrNoIndex = errors.New("no package index can be reached")
)

// endDelay is how long pip may take to end once it is interrupted.
const endDelay = 5 * time.Second

// mostGlibc is the newest C library that wheels may ask for (2.28, of 2018): a base that
// runs Python 3.9 has it or a later one.
const mostGlibc = 28

// pipTime bounds how long one installation may take.
const pipTime = 30 * time.Minute

// noIndex matches what pip prints when it cannot reach an index.
var noIndex = regexp.MustCompile(`connection error: |NewConnectionError|ConnectTimeout|Connection refused|` +
	`Temporary failure in name resolution|` +
	`Name or service not known|Network is unreachable|No route to host|NameResolutionError|ProxyError`)

// Set is what pip is to install.
type Set struct {
	// List is the requirements.
	List *requirement.List
	// Version is that of the image's Python, "3.12".
	Version string
	// Platform is that of the image.
	Platform v1.Platform
}

// Installer installs packages.
type Installer struct {
	// Bundle has the wheels that requirements name.
	Bundle fs.FS
	// Python is an interpreter that has pip. Default: KRT_PYTHON, else the first that has, of python3 on
	// PATH and the system's.
	Python string
	// Work is a folder for files that are needed meanwhile.
	Work string
}

// Find returns the interpreter whose pip is used, or an error that wraps ErrNoPip. It is run in folder,
// an empty one: Python looks for pip in the folder that it is run in first.
func (i Installer) Find(ctx context.Context, folder string) (string, error) {
	candidates := []string{cmp.Or(i.Python, os.Getenv(environment.Python))}
	if candidates[0] == "" {
		candidates = []string{"python3", "/usr/bin/python3"}
	}
	for _, python := range candidates {
		python, err := lookUp(python)
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, python, "-m", "pip", "--version")
		if cmd.Dir = folder; cmd.Run() == nil {
			return python, nil
		}
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return "", fmt.Errorf("%w (tried %s): install it (Debian, Ubuntu: apt-get install python3-pip), or use a base image that has the packages",
		ErrNoPip, strings.Join(candidates, ", "))
}

// lookUp returns the absolute path of a program, as the shell would find it.
func lookUp(name string) (string, error) {
	program, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(program)
}

// pipCode runs pip so that it builds nothing, and for another machine.
//
//go:embed pip.py
var pipCode string

// markersOf is what markers of requirements find in an image with that Python, as JSON.
func markersOf(version string, p v1.Platform) string {
	text, _ := json.Marshal(map[string]string{ // strings can always be written
		"python_version": version, "python_full_version": version + ".0", "implementation_version": version + ".0",
		"implementation_name": "cpython", "platform_python_implementation": "CPython",
		"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": machine(p),
	})
	return string(text)
}

// machine is what Linux calls the platform's processor.
func machine(p v1.Platform) string {
	return cmp.Or(map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l"}[p.Architecture], p.Architecture)
}

// pipArgs are pip's, to install wheels for another machine into folder. Nothing is built:
// code of packages does not run here, and what is built would be for this machine.
func pipArgs(folder, version string, p v1.Platform) []string {
	args := []string{"-c", pipCode, markersOf(version, p), "install", "--progress-bar", "off", "--target", folder,
		"--no-compile", "--no-warn-script-location", "--no-warn-conflicts", "--only-binary=:all:", "--implementation", "cp", "--python-version",
		version}
	for minor := mostGlibc; minor >= 5; minor-- {
		args = append(args, "--platform", fmt.Sprintf("manylinux_2_%d_%s", minor, machine(p)))
	}
	for _, old := range []string{"manylinux2014", "manylinux2010", "manylinux1", "linux"} {
		args = append(args, "--platform", old+"_"+machine(p))
	}
	// The default of 5 takes a minute; with 0, pip does not print why it fails.
	return append(args, "--retries", "2")
}

// pipEnv is the environment of pip: of the user's settings for it, those for where packages come from.
func pipEnv(env []string) []string {
	sources := []string{
		"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CONSTRAINT", "PIP_CONFIG_FILE",
		"PIP_CACHE_DIR", "PIP_NO_CACHE_DIR", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY",
		"PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT", "PIP_KEYRING_PROVIDER", "PIP_USE_FEATURE",
	}
	mine := slices.DeleteFunc(slices.Clone(env), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.HasPrefix(name, "PIP_") && !slices.Contains(sources, name)
	})
	// Settings of pip's own files that would make it install elsewhere, or ask.
	return append(mine,
		"PIP_USER=0", "PIP_REQUIRE_VIRTUALENV=0", "PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PYTHONDONTWRITEBYTECODE=1")
}

// Install installs the packages of s into folder, so that it holds the same on every machine. pip sees
// what was read of the requirements, in a folder of its own.
func (i Installer) Install(ctx context.Context, s Set, folder string) error {
	if err := i.install(ctx, s, folder); err != nil {
		return err
	}
	return tidy(folder)
}

func (i Installer) install(ctx context.Context, s Set, folder string) error {
	place, err := os.MkdirTemp(i.Work, "pip-")
	if err != nil {
		return err
	}
	python, err := i.Find(ctx, place)
	if err != nil {
		return err
	}
	files, err := i.layOut(s, place)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, pipTime)
	defer cancel()
	cmd := exec.CommandContext(limited, python, append(pipArgs(folder, s.Version, s.Platform), files...)...)
	output := &tail{}
	cmd.Dir, cmd.Stdout, cmd.Stderr = place, output, output
	// Not by pkg/child: pip may run keyring, which asks for a password at the terminal, and a process group of its own,
	// which is not in the foreground, would be stopped there. Ctrl-C reaches pip; if this process is killed, pip goes
	// on, for pipTime at most, in a folder that nobody reads.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = endDelay
	cmd.Env = append(pipEnv(os.Environ()), "TMPDIR="+place) // what pip.py lets wheels write to
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		return fromPlace(folder, place)
	case limited.Err() != nil:
		return fmt.Errorf("pip took longer than %s", pipTime)
	case noIndex.Match(output.text):
		return fmt.Errorf("%w: %s: connect this machine, set PIP_INDEX_URL to an index that can be reached, or use a base image that has the "+
			"packages",
			ErrNoIndex, pipSays(string(output.text), err))
	}
	return fmt.Errorf("pip: %s (wheels for Python %s on %s are needed)", pipSays(string(output.text), err), s.Version, s.Platform)
}

// tail keeps the end of what is written.
type tail struct{ text []byte }

// maxTail is how much of pip's output is kept, in bytes.
const maxTail = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - maxTail; over > maxTail {
		t.text = append([]byte(nil), t.text[over:]...)
	}
	return len(p), nil
}

// pipSays returns the errors that pip has printed, three lines at most.
func pipSays(output string, err error) string {
	const most = 3
	lines := strings.Split(strings.TrimSpace(output), "\n")
	wrong := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.HasPrefix(line, "ERROR: ") })
	if len(wrong) == 0 {
		wrong = lines[max(0, len(lines)-1):]
	}
	for i := range wrong {
		wrong[i] = strings.TrimPrefix(strings.TrimSpace(wrong[i]), "ERROR: ")
	}
	if text := strings.Join(wrong[:min(most, len(wrong))], ": "); text != "" {
		return text
	}
	return err.Error()
}
