package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Errors of getting a node's requirements.
var (
	// ErrNoPip says that no Python with pip is on this machine.
	ErrNoPip = errors.New("there is no Python with pip")
	// ErrNoIndex says that pip reached no package index.
	ErrNoIndex = errors.New("no package index can be reached")
)

// mostGlibc is the newest C library that wheels may ask for (2.28, of 2018): a base that
// runs Python 3.9 has it or a later one.
const mostGlibc = 28

// noIndex is how pip says that it cannot get through.
var noIndex = regexp.MustCompile(`connection error: |NewConnectionError|ConnectTimeout|Connection refused|Temporary failure in name resolution|` +
	`Name or service not known|Network is unreachable|No route to host|NameResolutionError|ProxyError`)

// findPip returns an interpreter that has pip: the one that is configured, else the first
// that has, of those on PATH and the system's.
func (o Options) findPip(ctx context.Context) (string, error) {
	candidates := []string{first(o.Python, os.Getenv("KRT_PYTHON"))}
	if candidates[0] == "" {
		candidates = []string{"python3", "/usr/bin/python3"}
	}
	for _, python := range candidates {
		if exec.CommandContext(ctx, python, "-m", "pip", "--version").Run() == nil {
			return python, nil
		}
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return "", fmt.Errorf("%w (tried %s): install it (Debian, Ubuntu: apt-get install python3-pip), or use a base image that has the packages",
		ErrNoPip, strings.Join(candidates, ", "))
}

// pipArgs are pip's, to install wheels for another machine into folder. Nothing is built:
// code of packages does not run here, and what is built would be for this machine.
func pipArgs(folder, version string, p v1.Platform) []string {
	args := []string{"-m", "pip", "install", "--progress-bar", "off", "--target", folder, "--no-compile", "--no-warn-script-location",
		"--only-binary=:all:", "--implementation", "cp", "--python-version", version}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l"}[p.Architecture]
	if machine == "" {
		machine = p.Architecture
	}
	for minor := mostGlibc; minor >= 5; minor-- {
		args = append(args, "--platform", fmt.Sprintf("manylinux_2_%d_%s", minor, machine))
	}
	for _, old := range []string{"manylinux2014", "manylinux2010", "manylinux1", "linux"} {
		args = append(args, "--platform", old+"_"+machine)
	}
	// Its own five keep a person waiting for a minute; with none it does not say why it fails.
	args = append(args, "--retries", "2")
	return args
}

// install installs the requirements, args of pip, into folder.
func (s *session) install(ctx context.Context, r requirementSet, folder string) error {
	python, err := s.o.findPip(ctx)
	if err != nil {
		return err
	}
	args := pipArgs(folder, r.version, r.platform)
	dir := s.bundle.Dir
	if r.file != "" {
		dir = filepath.Join(dir, filepath.FromSlash(path.Dir(r.file)))
		args = append(args, "-r", path.Base(r.file))
	}
	cmd := exec.CommandContext(ctx, python, append(args, r.more...)...)
	var output bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = endDelay
	// Settings of the user's that would make it install elsewhere, or ask.
	cmd.Env = append(os.Environ(), "PIP_USER=0", "PIP_REQUIRE_VIRTUALENV=0", "PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PYTHONDONTWRITEBYTECODE=1")
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		return nil
	case noIndex.Match(output.Bytes()):
		return fmt.Errorf("%w: %s: connect this machine, name an index that can be reached in PIP_INDEX_URL, or use a base image that has the packages",
			ErrNoIndex, pipSays(output.String(), err))
	}
	return fmt.Errorf("pip: %s (wheels for Python %s on %s are needed)", pipSays(output.String(), err), r.version, r.platform)
}

// pipSays returns what pip says is wrong: its errors, the last first lines of them.
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

// tidy takes out of an installation what differs from machine to machine, and is of no use
// in an image: scripts that name this machine's interpreter, and where wheels came from.
func tidy(folder string) error {
	if err := os.RemoveAll(filepath.Join(folder, "bin")); err != nil {
		return err
	}
	infos, err := filepath.Glob(filepath.Join(folder, "*.dist-info"))
	if err != nil {
		return err
	}
	for _, info := range infos {
		if err := os.RemoveAll(filepath.Join(info, "direct_url.json")); err != nil {
			return err
		}
		record := filepath.Join(info, "RECORD")
		text, err := os.ReadFile(record)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		lines := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool {
			return strings.HasPrefix(line, "../") || strings.Contains(line, "/direct_url.json,")
		})
		slices.Sort(lines)
		if err := os.WriteFile(record, []byte(strings.Join(lines, "")), 0o600); err != nil {
			return err
		}
	}
	return nil
}
