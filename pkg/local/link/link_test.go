package link_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"krt.dev/kn-krt/pkg/local/link"
)

// connect returns both ends of a connection over a new link.
func connect(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l := link.New("node")
	t.Cleanup(l.Close)
	near, err := l.Dial()
	require.NoError(t, err)
	far, err = l.Listen().Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

func TestIsAConnection(t *testing.T) {
	nettest.TestConn(t, func() (one, other net.Conn, stop func(), err error) {
		l := link.New("node")
		if one, err = l.Dial(); err != nil {
			return nil, nil, nil, err
		}
		other, err = l.Listen().Accept()
		return one, other, func() { _, _ = one.Close(), other.Close() }, err
	})
}

func TestServesHTTP(t *testing.T) {
	l := link.New("node")
	defer l.Close()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l.Listen()) }()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return l.Dial() },
	}}
	for _, size := range []int{0, 1, 1 << 20} {
		want := bytes.Repeat([]byte{'x'}, size)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://node/", bytes.NewReader(want))
		require.NoError(t, err)
		res, err := client.Do(req)
		require.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.True(t, bytes.Equal(want, got))
	}
	require.NoError(t, server.Shutdown(t.Context()))
	require.ErrorIs(t, <-served, http.ErrServerClosed)
}

func TestRequestEndsWithItsConnection(t *testing.T) {
	l := link.New("node")
	defer l.Close()
	ended := make(chan struct{})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(ended)
	})}
	go func() { _ = server.Serve(l.Listen()) }()
	defer server.Close()
	conn, err := l.Dial()
	require.NoError(t, err)
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: node\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	<-ended
}

func TestConnectionsWaitForTheNextServer(t *testing.T) {
	l := link.New("node")
	defer l.Close()
	first := l.Listen()
	require.NoError(t, first.Close())
	near, err := l.Dial()
	require.NoError(t, err)
	_, err = first.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = io.WriteString(near, "early")
	require.NoError(t, err)
	far, err := l.Listen().Accept()
	require.NoError(t, err)
	require.NoError(t, near.Close())
	got, err := io.ReadAll(far)
	require.NoError(t, err)
	require.Equal(t, "early", string(got))
}

func TestCloseEndsWhatWaits(t *testing.T) {
	l := link.New("node")
	near, err := l.Dial()
	require.NoError(t, err)
	l.Close()
	_, err = near.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = l.Listen().Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = l.Dial()
	refused := (*net.OpError)(nil)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "dial", refused.Op)
}

func TestBacklogIsBounded(t *testing.T) {
	l := link.New("node")
	defer l.Close()
	var err error
	for n := 0; err == nil; n++ {
		require.LessOrEqual(t, n, 1<<16)
		_, err = l.Dial()
	}
	require.ErrorContains(t, err, "too many connections")
}

func TestWriterWaitsForTheReader(t *testing.T) {
	near, far := connect(t)
	type result struct {
		n   int
		err error
	}
	written := make(chan result, 1)
	write := func() {
		n, err := near.Write(make([]byte, 1<<20))
		written <- result{n, err}
	}
	go write()
	_, err := far.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, near.SetWriteDeadline(time.Now()))
	first := <-written
	require.ErrorIs(t, first.err, os.ErrDeadlineExceeded)
	require.Positive(t, first.n)
	require.Less(t, first.n, 1<<20, "what nobody reads is bounded")
	require.NoError(t, near.SetWriteDeadline(time.Time{}))
	go func() {
		write()
		_ = near.Close()
	}()
	got, err := io.ReadAll(far)
	require.NoError(t, err)
	require.NoError(t, (<-written).err)
	require.Len(t, got, first.n-1+1<<20)
}

func TestDeadlineThatIsMoved(t *testing.T) {
	near, far := connect(t)
	require.NoError(t, near.SetReadDeadline(time.Now().Add(time.Millisecond)))
	require.NoError(t, near.SetReadDeadline(time.Now().Add(time.Hour)))
	go func() { _, _ = io.Copy(far, strings.NewReader("late")) }()
	b := make([]byte, 4)
	_, err := io.ReadFull(near, b)
	require.NoError(t, err, "the first deadline no longer applies")
	require.NoError(t, near.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err = near.Read(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestQuiet(t *testing.T) {
	near, far := connect(t)
	quiet := near.(interface{ Quiet() bool })
	require.True(t, quiet.Quiet())
	_, err := io.WriteString(far, "x")
	require.NoError(t, err)
	require.False(t, quiet.Quiet(), "something can be read")
	_, err = near.Read(make([]byte, 1))
	require.NoError(t, err)
	require.True(t, quiet.Quiet())
	require.NoError(t, far.Close())
	require.False(t, quiet.Quiet(), "the end can be read")
}
