// Package localrun drives the real thing in tests: the kn-krt binary as a child
// process that runs a version, called over gRPC by reflection, over JSON and
// with CloudEvents, as a user without the version's proto would.
package localrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"krt.dev/kn-krt/pkg/child"
)

// Bounds on what a broken version could make a test wait for.
const (
	startWithin = 3 * time.Minute // Go nodes are compiled, on a busy machine
	stopWithin  = time.Minute
)

// binary is where Main has put kn-krt.
var binary string

// Main is the TestMain of a package that runs versions: it builds kn-krt once.
func Main(m *testing.M) {
	code, err := run(m)
	if err != nil {
		panic(err)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "kn-krt-test")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary = filepath.Join(dir, "kn-krt")
	args := slices.Concat([]string{"build"}, raceFlags, []string{"-tags", "local", "-o", binary, "krt.dev/kn-krt/cmd/kn-krt"})
	build := exec.CommandContext(context.Background(), "go", args...)
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("cannot build kn-krt: %w: %s", err, out)
	}
	return m.Run(), nil
}

// Command runs kn-krt to its end and returns what it printed, standard output
// and error together, and its exit code.
func Command(t testing.TB, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = environment(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.IsType(t, &exec.ExitError{}, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Version is a version that runs on this machine.
type Version struct {
	// PID is the process id of kn-krt; the nodes are below it.
	PID int
	// GRPC, Web and Inspection are host:port.
	GRPC, Web, Inspection string

	conn    *grpc.ClientConn
	process *child.Process
	state   string // folder
	out     *output
	stop    sync.Once
}

// Start runs the bundle in dir and returns once it serves. It is stopped, with
// nothing left behind, when the test ends.
func Start(t testing.TB, dir string, args ...string) *Version {
	t.Helper()
	return StartWith(t, binary, dir, args...)
}

// StartWith is Start with a kn-krt that the test has built itself, so that it needs no Main.
func StartWith(t testing.TB, program, dir string, args ...string) *Version {
	t.Helper()
	v := Launch(t, program, dir, args...)
	ready := v.Await(t, "ready")
	v.GRPC, v.Web, v.Inspection = ready.GRPC, ready.Web, ready.Inspection
	conn, err := grpc.NewClient(v.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	v.conn = conn
	return v
}

// Launch is StartWith, but returns at once: what the version reports is awaited by Await, and it
// has no addresses.
func Launch(t testing.TB, program, dir string, args ...string) *Version {
	t.Helper()
	v := &Version{out: newOutput(), state: stateDir(t)}
	// Not the test's context: that is done before the version is stopped.
	cmd := exec.CommandContext(context.Background(), program,
		append([]string{"run", dir, "-o", "json", "--grpc-port", "0", "--web-port", "0", "--state-dir", v.state}, args...)...)
	cmd.Env = environment(t)
	cmd.Stdout, cmd.Stderr = v.out, v.out
	cmd.WaitDelay = stopWithin
	var err error
	v.process, err = child.Start(cmd)
	require.NoError(t, err)
	v.PID = v.process.PID()
	t.Cleanup(func() { v.Stop(t) })
	return v
}

// Await returns the first event of a type that the version has reported, once there is one.
func (v *Version) Await(t testing.TB, event string) Event {
	t.Helper()
	limit := time.NewTimer(startWithin)
	defer limit.Stop()
	for ended := false; ; {
		if e, found := v.out.find(event); found {
			return e
		}
		if ended {
			require.FailNowf(t, "the version has ended without "+event, "exit code %d\n%s", v.process.State().ExitCode(), v.Log())
		}
		select {
		case <-v.out.news:
		case <-v.Exited():
			ended = true // what it has reported is known now
		case <-limit.C:
			require.FailNowf(t, "waited in vain for "+event, "not within %s\n%s", startWithin, v.Log())
		}
	}
}

// Stop ends the version as Ctrl-C does and returns the exit code of kn-krt.
func (v *Version) Stop(t testing.TB) int {
	t.Helper()
	v.stop.Do(func() {
		if !v.process.Stop(syscall.SIGINT, stopWithin, nil) {
			t.Errorf("kn-krt did not stop within %s", stopWithin)
		}
		if v.out.hasRace() {
			t.Error("kn-krt has a data race")
		}
		if t.Failed() {
			t.Logf("%s", v.Log())
		}
	})
	<-v.Exited()
	return v.process.State().ExitCode()
}

// StateDir is the folder that was given to run as --state-dir.
func (v *Version) StateDir() string { return v.state }

// Exited is closed when kn-krt is gone.
func (v *Version) Exited() <-chan struct{} { return v.process.Done() }

// Log is what the version has printed so far: all of it, or the last megabytes.
func (v *Version) Log() string { return v.out.String() }

// Store gets path from the version's store, where measurements and predictions
// can be read back, and returns the JSON.
func (v *Version) Store(t testing.TB, path string) string {
	t.Helper()
	socket := filepath.Join(v.state, "run", "store.sock")
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://store"+path, http.NoBody)
	require.NoError(t, err)
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", body)
	return string(body)
}

// stateDir is a folder for a run's state. Its name is short, because the path of a
// Unix socket may have about a hundred bytes only.
func stateDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "krt")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// environment keeps what is written out of the tree that is tested.
func environment(t testing.TB) []string {
	return append(os.Environ(), "XDG_STATE_HOME="+t.TempDir(), "PYTHONDONTWRITEBYTECODE=1")
}
