// Package jetstream runs NATS servers with JetStream for tests: in the test's own process, or
// as a child that can be killed.
package jetstream

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// readyTime is how long a server may take to start on a busy machine.
const readyTime = 60 * time.Second

// maxPayload is the largest event that the servers accept, in bytes.
const maxPayload = 9 << 20

// Options returns those of a server on a port of loopback; 0: any that is free.
func Options(folder string, port int) *server.Options {
	return &server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: folder, MaxPayload: maxPayload, NoSigs: true, NoLog: true,
		SyncInterval: time.Minute, SyncAlways: true,
	}
}

// Start runs a server in this process until the test ends, and returns it.
func Start(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { Stop(s) })
	require.True(t, s.ReadyForConnections(readyTime), "the NATS server does not start")
	return s
}

// Stop stops a server, and waits until it has.
func Stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// URL is the address of one in a process of its own.
func (c *Child) URL() string { return fmt.Sprintf("nats://127.0.0.1:%d", c.port) }

// Child is a server in a process of its own.
type Child struct {
	folder string
	port   int
	run    *exec.Cmd

	cluster string // the port for other servers, and theirs, separated by commas; empty: it is alone
}

// What tells a test's program that it is a server.
const (
	variableFolder = "KRT_TEST_NATS_FOLDER"
	variablePort   = "KRT_TEST_NATS_PORT"
	variableRoutes = "KRT_TEST_NATS_ROUTES"
)

// Main runs a server and does not return, if the process was started by [Child.Start]. It is
// for TestMain.
func Main() {
	folder := os.Getenv(variableFolder)
	if folder == "" {
		return
	}
	port, _ := strconv.Atoi(os.Getenv(variablePort))
	o := Options(folder, port)
	join(o, os.Getenv(variableRoutes))
	s, err := server.NewServer(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Start()
	// It ends with the test, also when that is killed.
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

// NewChild returns a server that does not run yet, with a port and a folder of its own. The
// test's package must call [Main].
func NewChild(t testing.TB) *Child {
	t.Helper()
	c := &Child{folder: t.TempDir(), port: reserve(t)}
	t.Cleanup(c.Kill)
	return c
}

// reserve returns a port of loopback that the system gives to nobody else until the test ends, also while the server
// that listens on it is killed. A socket that is bound and does not listen holds it: others may bind it only by its number.
func reserve(t testing.TB) (port int) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(socket) })
	unix.CloseOnExec(socket)
	require.NoError(t, unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	require.NoError(t, unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := unix.Getsockname(socket)
	require.NoError(t, err)
	return name.(*unix.SockaddrInet4).Port
}

// join has a server be one of a cluster.
func join(o *server.Options, ports string) {
	own, others, found := strings.Cut(ports, ",")
	if !found {
		return
	}
	o.ServerName = name(own)
	o.Cluster.Name, o.Cluster.Host = "test", "127.0.0.1"
	o.Cluster.Port, _ = strconv.Atoi(own)
	var routes []string
	for one := range strings.SplitSeq(others, ",") {
		routes = append(routes, "nats://127.0.0.1:"+one)
	}
	o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
}

func name(port string) string { return "s" + port }

// Name is that of one of a cluster.
func (c *Child) Name() string {
	own, _, _ := strings.Cut(c.cluster, ",")
	return name(own)
}

// Start starts the server, and returns once it accepts connections.
func (c *Child) Start(t testing.TB) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	c.run = exec.Command(program) //nolint:noctx // it is killed
	c.run.Env = append(os.Environ(), variableFolder+"="+c.folder, variablePort+"="+strconv.Itoa(c.port), variableRoutes+"="+c.cluster)
	c.run.Stderr = os.Stderr
	_, err = c.run.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.run.Start())
	require.Eventually(t, func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", c.port))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, readyTime, 10*time.Millisecond)
}

// Kill ends the server at once, as a machine that loses its power does, and waits for its end.
func (c *Child) Kill() {
	if c.run == nil {
		return
	}
	_ = c.run.Process.Kill()
	_ = c.run.Wait()
	c.run = nil
}
