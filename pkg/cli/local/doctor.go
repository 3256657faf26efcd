package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/local/running"
	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// Free space below which no run can work, and below which the store cannot reach its limit of 1 GiB.
const (
	fewBytes = 64 << 20
	wanted   = 1 << 30
)

// leastWatches is how many files a user should be able to watch: a bundle has a few, an editor thousands.
const leastWatches = 8192

// goPatience is how long the go command may take to print its version.
const goPatience = 20 * time.Second

// errUnfit is returned when a check that is printed already is bad.
var errUnfit = errors.New("this machine cannot run versions")

// Diagnose checks whether this machine can run versions, and prints what it found, with what to do. program
// is what the user types for kn-krt.
func Diagnose(ctx context.Context, s term.Streams, program, output string) error {
	checks := []term.Check{
		checkSystem(runtime.GOOS), checkGo(ctx), checkPython(),
		checkPort(ctx, program, "gRPC port", "grpc-port", defaultGRPC), checkPort(ctx, program, "web port", "web-port", defaultWeb),
		checkState(), checkTemporary(), checkClock(), checkWatches(),
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := s.PrintChecks(checks, output); err != nil {
		return err
	}
	if slices.ContainsFunc(checks, func(c term.Check) bool { return c.State == term.CheckBad }) {
		return term.Printed(errUnfit)
	}
	return nil
}

func checkSystem(system string) term.Check {
	c := term.Check{State: term.CheckGood, About: "system", Text: system + "/" + runtime.GOARCH}
	switch system {
	case "linux":
	case "windows", "plan9", "js", "wasip1":
		c.State, c.Fix = term.CheckInfo, "Use Linux, for example in a virtual machine or WSL."
		c.Text += ": local runs are for Linux; here nodes may keep running when their run has ended"
	default:
		c.State, c.Text = term.CheckInfo, c.Text+": local runs are tested on Linux only"
	}
	return c
}

func checkGo(ctx context.Context) term.Check {
	ctx, cancel := context.WithTimeout(ctx, goPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	// As nodes are built, and not in this folder: its go.mod may name a toolchain, which would be downloaded.
	cmd.Dir, cmd.Env = string(filepath.Separator), gobuild.Environ(os.Environ(), runtime.GOOS, runtime.GOARCH)
	cmd.WaitDelay = time.Second // go may be a script whose child keeps the output open
	text, err := cmd.Output()
	switch version := strings.TrimSpace(string(text)); {
	case errors.Is(err, exec.ErrNotFound):
		return term.Check{State: term.CheckInfo, About: "Go", Text: "no go command on PATH: nodes in Go cannot be built",
			Fix: "Install Go from https://go.dev/dl, unless your nodes are in Python."}
	case err != nil:
		return term.Check{State: term.CheckInfo, About: "Go", Text: fmt.Sprintf("go env GOVERSION: %v: nodes in Go cannot be built", err),
			Fix: "Run 'go version' to see why."}
	default:
		return term.Check{State: term.CheckGood, About: "Go", Text: version}
	}
}

func checkPython() term.Check {
	python, err := pyrunner.FindPython(os.Getenv)
	if err == nil && os.Getenv(environment.Python) != "" {
		err = pyrunner.Probe(python)
	}
	if err != nil {
		return term.Check{State: term.CheckInfo, About: "Python", Text: fmt.Sprintf("nodes in Python cannot run: %v", err),
			Fix: "Install what is missing, unless your nodes are in Go."}
	}
	return term.Check{State: term.CheckGood, About: "Python", Text: python}
}

// checkPort checks whether a default port is free.
func checkPort(ctx context.Context, program, about, flag string, port int) term.Check {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		_ = listener.Close()
		return term.Check{State: term.CheckGood, About: about, Text: address + " is free"}
	}
	var reason *net.OpError
	if errors.As(err, &reason) { // without the address, which is said already
		err = reason.Err
	}
	c := term.Check{State: term.CheckInfo, About: about, Text: fmt.Sprintf("%s is not free: %v", address, err),
		Fix: fmt.Sprintf("Use another port: %s run --%s 0", program, flag)}
	runs, _ := running.List(ctx) // only to name the run
	for _, r := range runs {
		if r.GRPC == address {
			c.Text = fmt.Sprintf("%s is used by version %s, which runs from %s", address, r.Version, r.Path)
		}
	}
	return c
}

// checkState checks the folder in which runs keep what nodes save.
func checkState() term.Check {
	root, err := running.Root()
	if err != nil {
		return term.Check{State: term.CheckBad, About: "state folder", Text: err.Error(),
			Fix: "Set HOME or XDG_STATE_HOME to a folder of yours."}
	}
	return checkFolder("state folder", root, "XDG_STATE_HOME")
}

// checkTemporary checks the folder for files of one run, which nothing creates.
func checkTemporary() term.Check {
	folder := os.TempDir()
	if _, err := os.Stat(folder); err != nil {
		return term.Check{State: term.CheckBad, About: "temporary folder", Text: fmt.Sprintf("%s: %v", folder, untrusted.Reason(err)),
			Fix: "Create it, or set TMPDIR to a folder of yours."}
	}
	return checkFolder("temporary folder", folder, "TMPDIR")
}

// checkFolder checks whether files can be written below a folder, which need not exist yet; variable names
// another one.
func checkFolder(about, folder, variable string) term.Check {
	c := term.Check{State: term.CheckBad, About: about, Fix: fmt.Sprintf("Set %s to a folder of yours on a volume with free space.", variable)}
	there := folder
	for {
		_, err := os.Stat(there)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || filepath.Dir(there) == there {
			break
		}
		there = filepath.Dir(there)
	}
	file, err := os.CreateTemp(there, ".kn-krt-")
	if err != nil {
		c.Text = fmt.Sprintf("%s cannot be written: %v", folder, untrusted.Reason(err))
		return c
	}
	_ = file.Close()
	_ = os.Remove(file.Name())
	free, known := local.FreeSpace(there)
	switch {
	case !known:
		return term.Check{State: term.CheckGood, About: about, Text: folder}
	case free < fewBytes:
		c.Text = fmt.Sprintf("%s has only %s left", folder, legible.Bytes(free))
	case free < wanted:
		c.State = term.CheckInfo
		c.Text = fmt.Sprintf("%s has %s left; nodes may save up to %s", folder, legible.Bytes(free), legible.Bytes(wanted))
	default:
		return term.Check{State: term.CheckGood, About: about, Text: fmt.Sprintf("%s, %s free", folder, legible.Bytes(free))}
	}
	return c
}

// checkClock compares the clock with the time of this program's file: certificates, deadlines and replies
// depend on it.
func checkClock() term.Check {
	now := time.Now()
	c := term.Check{State: term.CheckGood, About: "clock", Text: now.UTC().Format(time.RFC3339)}
	path, err := os.Executable()
	if err != nil {
		return c
	}
	if info, err := os.Stat(path); err == nil && info.ModTime().After(now.Add(time.Hour)) {
		c.State, c.Fix = term.CheckInfo, "Set the clock, for example by NTP: timedatectl set-ntp true"
		c.Text += " is before this program was written, " + info.ModTime().UTC().Format(time.RFC3339)
	}
	return c
}

// checkWatches checks whether changed files can be noticed.
func checkWatches() term.Check {
	c := term.Check{State: term.CheckInfo, About: "watching files",
		Fix: "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288"}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = errors.Join(watcher.Add(os.TempDir()), watcher.Close())
	}
	if err != nil {
		c.Text = fmt.Sprintf("files cannot be watched: a run does not reload changed code: %v", err)
		return c
	}
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_user_watches")
	if most, parseErr := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && parseErr == nil && most < leastWatches {
		c.Text = fmt.Sprintf("only %d files can be watched, by all programs of the user", most)
		return c
	}
	return term.Check{State: term.CheckGood, About: c.About, Text: "changed code can be noticed"}
}
