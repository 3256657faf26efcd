package tunnel

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// TestATunnelToAServerThatHangsLeavesNothing: its connection ends with the attempt.
func TestATunnelToAServerThatHangsLeavesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		connection, err := l.Accept()
		if err == nil {
			defer connection.Close()
			_, err = io.Copy(io.Discard, connection) // to its end, without a response
		}
		ended <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // in which it is dialled
	defer cancel()
	_, err = Open(ctx, &rest.Config{Host: "http://" + l.Addr().String()}, "ns", "one-1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, <-ended)
}
