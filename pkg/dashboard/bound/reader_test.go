package bound

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// received is what a handler has read, and how that and its request ended.
type received struct {
	bytes         int
	read, request error
}

// upload serves a connection whose server has a deadline for whole requests, as the dashboard's have.
// After reading, the handler goes on for long.
func upload(t *testing.T) (client net.Conn, got <-chan received) {
	t.Helper()
	client, end := net.Pipe()
	result := make(chan received, 1)
	server := &http.Server{ReadTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Limit(w, r)
		text, err := io.ReadAll(r.Body)
		if err == nil {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Minute):
			}
		}
		result <- received{len(text), err, context.Cause(r.Context())}
	})}
	l := &once{conn: make(chan net.Conn, 1), over: make(chan struct{})}
	l.conn <- end
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); _ = client.Close() })
	go func() { _, _ = io.Copy(io.Discard, client) }()
	return client, result
}

// A browser that sends on, however slowly, may send all; one that stops, or that sends a byte now and
// then, ends.
func TestTheDeadlineOfABodyMovesWithProgress(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 655360\r\n\r\n"
	synctest.Test(t, func(t *testing.T) {
		client, got := upload(t)
		_, err := io.WriteString(client, head)
		require.NoError(t, err)
		for range 10 {
			<-time.After(patience - time.Second)
			_, err = client.Write(bytes.Repeat([]byte("x"), chunk))
			require.NoError(t, err)
		}
		require.Equal(t, received{bytes: 10 * chunk}, <-got)
	})
	for sent := range 2 {
		synctest.Test(t, func(t *testing.T) {
			client, got := upload(t)
			start := time.Now()
			_, err := io.WriteString(client, head)
			require.NoError(t, err)
			for range sent * int(patience/time.Second) {
				<-time.After(time.Second)
				_, _ = io.WriteString(client, "x")
			}
			require.ErrorIs(t, (<-got).read, os.ErrDeadlineExceeded)
			require.Equal(t, patience, time.Since(start))
		})
	}
}

// A stream is a request without a body: the server's deadline for reading requests does not end it.
func TestARequestWithoutABodyHasNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, got := upload(t)
		_, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		require.Equal(t, received{}, <-got)
	})
}
