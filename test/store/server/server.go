// Package server starts the databases that tests of the store need, each a process on
// a port of 127.0.0.1 with its data in a folder of its own, and ends them with the test.
package server

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/test/freeport"
)

// patience bounds how long a server may take until it accepts connections.
const patience = 3 * time.Minute

// Server is a database that runs for a test.
type Server struct {
	// Address is host:port.
	Address string
	// URL is that of a backend: with the user and the password, if there are any.
	URL string

	arguments []string
	ready     func(context.Context) error
	log       *output
	process   *child.Process
}

// output keeps what a server prints, for a test that fails.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts a program and waits until it is ready.
func start(t testing.TB, s *Server, arguments ...string) {
	t.Helper()
	s.arguments, s.log = arguments, &output{}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(arguments[0]), s.log)
		}
	})
	s.Start(t)
}

// Start starts the server again, after [Server.Kill], with the data it had.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), s.arguments[0], s.arguments[1:]...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	var err error
	s.process, err = child.Start(cmd)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.ready(t.Context()) == nil }, patience, 20*time.Millisecond,
		"%s is not ready: %s", s.arguments[0], s.log)
}

// listens reports an error while nothing listens at the server's address.
func (s *Server) listens(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Kill ends the server as a power cut would.
func (s *Server) Kill() {
	s.process.Kill()
	<-s.process.Done()
}

// PID is the id of the server's process, which may have children.
func (s *Server) PID() int { return s.process.PID() }

// free returns an address that nothing listens at.
func free(t testing.TB) string {
	t.Helper()
	address, err := freeport.Address(t.Context(), "127.0.0.1")
	require.NoError(t, err)
	return address
}

// program returns the path of a program, which may be in one of the folders that match
// a pattern. A test that needs one that is not installed is left out, and says so; with CI=true
// in the environment it fails, because nobody reads there what was left out.
func program(t testing.TB, name, debian, folders string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if found, _ := filepath.Glob(filepath.Join(folders, name)); len(found) > 0 {
		return found[len(found)-1]
	}
	missing := fmt.Sprintf("%s is not installed (Debian: apt-get install --no-install-recommends %s)", name, debian)
	if os.Getenv("CI") == "true" {
		require.FailNow(t, missing)
	}
	t.Skip(missing)
	return ""
}

// command runs a program to its end.
func command(t testing.TB, arguments ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// folder returns a new folder, which another user can reach.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "krt-server")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

func port(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}

// write writes a file of a server's folder.
func write(t testing.TB, path, format string, values ...any) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, format, values...), 0o644))
}
