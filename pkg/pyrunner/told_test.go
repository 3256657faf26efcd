package pyrunner_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// call is what a process has told the test.
type call struct {
	text string
	conn *bufio.Reader // ends when the process does
}

// gone waits for the end of the process.
func (c call) gone(t testing.TB) {
	_, err := c.conn.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// listenForCalls returns the socket that tell connects to.
func listenForCalls(t testing.TB, calls chan<- call) string {
	dir, err := os.MkdirTemp("", "krt") // t.TempDir may be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		// One that nothing refers to would be closed as garbage, and its handler would go on.
		var conns []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				for _, c := range conns {
					_ = c.Close()
				}
				return
			}
			conns = append(conns, conn)
			r := bufio.NewReader(conn)
			if line, err := r.ReadString('\n'); err == nil { // one after the other: the order is that in which they were told
				calls <- call{strings.TrimSpace(line), r}
			}
		}
	}()
	return path
}

// heard returns what processes have told the test until now.
func (n *node) heard() (calls []call) {
	n.t.Helper()
	conn, err := net.Dial("unix", n.socket)
	require.NoError(n.t, err)
	defer func() { _ = conn.Close() }()
	const now = "now"
	_, err = io.WriteString(conn, now+"\n")
	require.NoError(n.t, err)
	for c := <-n.told; c.text != now; c = <-n.told {
		calls = append(calls, c)
	}
	return calls
}

// listenForGate is listenForCalls for a process that waits for an answer, which
// open gives it.
func listenForGate(t testing.TB, calls chan<- call) (path string, open func()) {
	dir, err := os.MkdirTemp("", "krt")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		r := bufio.NewReader(conn)
		line, _ := r.ReadString('\n')
		accepted <- conn
		calls <- call{strings.TrimSpace(line), r}
	}()
	return path, func() {
		conn := <-accepted
		_, err := conn.Write([]byte("x"))
		require.NoError(t, err)
	}
}
