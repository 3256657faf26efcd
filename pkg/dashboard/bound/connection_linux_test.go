package bound

import (
	"crypto/tls"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A reader is seen to take a part of a response when it takes a third of what the system holds.
func TestTheSystemHoldsLittle(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	for _, secure := range []bool{false, true} {
		client, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		defer client.Close()
		c, err := listener.Accept()
		require.NoError(t, err)
		defer c.Close()
		raw, err := c.(*net.TCPConn).SyscallConn()
		require.NoError(t, err)
		if secure {
			c = tls.Server(c, &tls.Config{MinVersion: tls.VersionTLS12})
		}
		require.Equal(t, t.Context(), Connection(t.Context(), c))
		var holds int
		require.NoError(t, raw.Control(func(fd uintptr) {
			holds, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
		}))
		require.NoError(t, err)
		require.LessOrEqual(t, holds, 4*chunk) // Linux doubles what it is told, for its own part
	}
}
