package httpclient

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// By default, Linux sends again for a quarter of an hour. A large request may be unread for as long, where
// requests are queued, which is no loss.
func TestASmallRequestToALostMachineEnds(t *testing.T) {
	to, connections := rawNode(t, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
	c := New(0, nil)
	defer c.Close()
	for _, want := range []struct {
		bytes int
		limit int64
	}{{1, lossTime.Milliseconds()}, {joinBytes + 1, 0}, {joinBytes, lossTime.Milliseconds()}} {
		status, _, err := exchangeOnce(t, c, to, string(make([]byte, want.bytes)))
		require.NoError(t, err)
		require.Equal(t, 202, status)
		c.idle.Lock()
		idle := c.idle.byHost[to.Host]
		c.idle.Unlock()
		require.Len(t, idle, 1)
		var limit int
		var failed error
		require.NoError(t, idle[0].raw.Control(func(fd uintptr) {
			limit, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		}))
		require.NoError(t, failed)
		require.EqualValues(t, want.limit, limit, "%d bytes", want.bytes)
	}
	require.EqualValues(t, 1, connections.Load())
}
