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
	for patience := 2 * time.Second; !openToHanging(t, patience); patience *= 2 {
		require.Less(t, patience, time.Minute)
	}
}

// openToHanging requires that nothing is left of a tunnel to a server that hangs; false if it was not dialled in time.
func openToHanging(t *testing.T, patience time.Duration) (dialled bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		connection, err := l.Accept()
		accepted <- err
		if err == nil {
			defer connection.Close()
			_, err = io.Copy(io.Discard, connection) // to its end, without a response
		}
		ended <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = Open(ctx, &rest.Config{Host: "http://" + l.Addr().String()}, "ns", "one-1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, l.Close())
	if <-accepted != nil {
		return false
	}
	require.NoError(t, <-ended)
	return true
}
