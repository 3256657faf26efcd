package shell

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// inner is the argument by which the test program knows that it is to enable the loopback interface
// of its network and to become the command after it.
const inner = "__loopback"

// Main is the TestMain of a package that runs pages on this machine: it hands the rest to run, with the
// folder that has kn-krt.
func Main(run func(folder string) int) {
	if len(os.Args) > 2 && os.Args[1] == inner {
		panic(enter(os.Args[2:]))
	}
	dir, err := os.MkdirTemp("", "kn-krt-docs")
	if err != nil {
		panic(err)
	}
	// As make build builds it, which the tests begin with: so it is linked only.
	build := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-trimpath", "-o", dir, "krt.dev/kn-krt/cmd/kn-krt")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("cannot build kn-krt: %v: %s", err, out))
	}
	code := run(dir)
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// enter enables the loopback interface, which is down in a new network, and becomes the command.
func enter(command []string) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo); err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	return unix.Exec(path, command, os.Environ())
}

// within bounds a page that hangs. It is many times what one takes, as pages run side by side with other tests.
const within = 5 * time.Minute

// Network returns what gives a command a network of its own, with nothing but the loopback interface: so
// pages that use the same ports run side by side. It is false where the system does not allow that.
func Network(ctx context.Context) (wrap []string, ok bool) {
	unshare := []string{"unshare", "--net"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--user", "--map-root-user")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, false
	}
	wrap = append(unshare, self, inner)
	return wrap, exec.CommandContext(ctx, wrap[0], append(wrap[1:], "true")...).Run() == nil
}

// Local is this machine with the programs in folder, Python as KRT_PYTHON names it, and Go with its caches.
func Local(ctx context.Context, folder string) (Machine, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS").Output()
	if err != nil {
		return Machine{}, fmt.Errorf("go env: %w", err)
	}
	values := strings.Split(string(out), "\n")
	path := []string{folder, filepath.Join(values[0], "bin"), "/usr/local/bin", "/usr/bin", "/bin"}
	// As in a terminal, where curl shows no progress.
	if err := os.WriteFile(filepath.Join(folder, ".curlrc"), []byte("silent\nshow-error\n"), 0o644); err != nil {
		return Machine{}, err
	}
	environment := []string{"CURL_HOME=" + folder, "LANG=C.UTF-8", "NO_COLOR=1", "GOTOOLCHAIN=local",
		"GOCACHE=" + values[1], "GOMODCACHE=" + values[2], "GOPROXY=" + values[3], "GOFLAGS=" + values[4]}
	if python := os.Getenv("KRT_PYTHON"); python != "" {
		path = append([]string{folder, filepath.Dir(python)}, path[1:]...)
		environment = append(environment, "KRT_PYTHON="+python)
	}
	environment = append(environment, "PATH="+strings.Join(path, ":"))
	return Machine{Environment: environment, Within: within}, nil
}
