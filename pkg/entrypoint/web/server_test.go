package web

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// holding serves a port that may have four connections, on which POST holds its own until
// its body ends or work does. It tells what became of each: whether it is held.
func holding(work context.Context, t *testing.T) (address string, held chan bool) {
	t.Helper()
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := memory.New(64<<20, new(atomic.Int64), 16).Listen(inner)
	l.Yields, l.Most, held = true, 4, make(chan bool)
	server := Server{Logger: slog.New(slog.DiscardHandler), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			return
		}
		release := Hold(work, w, r)
		if held <- release != nil; release == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, err := io.Copy(io.Discard, r.Body)
		if release(); err != nil {
			w.WriteHeader(http.StatusGone)
		}
	})}.New()
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return inner.Addr().String(), held
}

// begin begins a request on a connection of its own, and returns what reads its status.
func begin(t *testing.T, address, method string) (conn net.Conn, status func() int) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, method+" / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
	require.NoError(t, err)
	return conn, func() int {
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		return res.StatusCode
	}
}

const end = "0\r\n\r\n"

// However many others come, what is held goes on, and there is room for probes.
func TestAPortKeepsWhatIsHeld(t *testing.T) {
	address, held := holding(t.Context(), t)
	conns, codes := make([]net.Conn, 3), make([]func() int, 3)
	for i := range conns {
		conns[i], codes[i] = begin(t, address, http.MethodPost)
		require.True(t, <-held)
	}
	begin(t, address, http.MethodPost)
	require.False(t, <-held, "a quarter is left for others")
	for range 20 {
		_, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		require.NoError(t, err)
	}
	probe, status := begin(t, address, http.MethodGet)
	_, err := io.WriteString(probe, end)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status())
	for i, conn := range conns {
		_, err := io.WriteString(conn, end)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, codes[i]())
	}
}

// What is held is read for as long as its work lasts.
func TestWhatIsHeldEndsWithItsWork(t *testing.T) {
	work, done := context.WithCancel(t.Context())
	address, held := holding(work, t)
	_, status := begin(t, address, http.MethodPost)
	require.True(t, <-held)
	done()
	require.Equal(t, http.StatusGone, status())
}
