package bound

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// connection is one to a server whose handler writes with a Writer: a pipe, which has no buffer, so that
// a reader is exactly as slow as the test.
func connection(t *testing.T, share *Share, handler func(w http.ResponseWriter)) (client net.Conn, ended <-chan struct{}) {
	t.Helper()
	client, end := net.Pipe()
	done := make(chan struct{}, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		out := NewWriter(w, func(n int) (func(), error) { return share.Take("", n) })
		defer out.End()
		handler(out)
	}), ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			done <- struct{}{}
		}
	}}
	l := &once{conn: make(chan net.Conn, 1), over: make(chan struct{})}
	l.conn <- end
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); _ = client.Close() })
	return client, done
}

// once is a listener with one connection.
type once struct {
	conn chan net.Conn
	over chan struct{}
}

func (l *once) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}
func (l *once) Close() error   { close(l.over); return nil }
func (l *once) Addr() net.Addr { return &net.TCPAddr{} }

func ask(t *testing.T, client net.Conn) {
	t.Helper()
	_, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
}

// A reader that reads on, however slowly, gets all; one that does not ends its connection.
func TestTheDeadlineMovesWithProgress(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 10*chunk)
	share := Share{Most: 1 << 30}
	synctest.Test(t, func(t *testing.T) {
		client, _ := connection(t, &share, func(w http.ResponseWriter) { _, _ = w.Write(content) })
		ask(t, client)
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		got := 0
		for range 10 {
			n, err := io.CopyN(io.Discard, response.Body, chunk)
			require.NoError(t, err)
			got += int(n)
			<-time.After(patience - time.Second)
		}
		require.Equal(t, len(content), got)
	})
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		start := time.Now()
		client, ended := connection(t, &share, func(w http.ResponseWriter) {
			_, err := w.Write(content)
			failed <- err
		})
		ask(t, client)
		require.Error(t, <-failed)
		<-ended
		require.Less(t, time.Since(start), 3*patience)
		require.Zero(t, share.taken)
	})
}

// Time that the program needs is not the reader's, and what is left to be sent has a deadline, too.
func TestWhatIsComputedMayTakeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, ended := connection(t, &Share{}, func(w http.ResponseWriter) {
			for range 3 {
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				<-time.After(3 * patience)
			}
		})
		ask(t, client)
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, "xxx", string(text))

		<-time.After(2 * patience) // the next response of the connection does not inherit a deadline
		ask(t, client)
		buffer := make([]byte, 1)
		_, err = client.Read(buffer)
		require.NoError(t, err)
		<-ended // it is not read any more
	})
}

func TestMemoryIsBounded(t *testing.T) {
	share := Share{Most: 3 * chunk}
	synctest.Test(t, func(t *testing.T) {
		first, _ := connection(t, &share, func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, 2*chunk)) })
		ask(t, first)
		synctest.Wait()
		failed := make(chan error, 1)
		second, _ := connection(t, &share, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "131072")
			w.WriteHeader(http.StatusOK)
			_, err := w.Write(make([]byte, 2*chunk))
			failed <- err
		})
		ask(t, second)
		response, err := http.ReadResponse(bufio.NewReader(second), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		require.Equal(t, tryAgain, response.Header.Get("Retry-After"))
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, "The dashboard is sending as much as it can hold. Try again in a moment.\n", string(text))
		require.ErrorIs(t, <-failed, ErrMost)

		small, _ := connection(t, &share, func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, chunk)) })
		ask(t, small)
		response, err = http.ReadResponse(bufio.NewReader(small), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
	})
}
