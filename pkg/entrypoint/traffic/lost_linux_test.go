package traffic

import (
	"context"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestAConnectionToALostMachineEnds: by default, Linux sends again for a quarter of an hour.
func TestAConnectionToALostMachineEnds(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	p := newPeer(l.Addr().String(), l.Addr().String(), 1<<20, connectTime)
	defer p.release()
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"web": p.web.DialContext, "gRPC on the web port": p.http2.DialContext,
	} {
		conn, err := dial(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		raw, err := conn.(syscall.Conn).SyscallConn()
		require.NoError(t, err)
		var limit int
		var failed error
		require.NoError(t, raw.Control(func(fd uintptr) {
			limit, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		}))
		require.NoError(t, failed)
		require.Equal(t, int(lossTime.Milliseconds()), limit, name)
	}
}
