package httpclient

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// By default, Linux sends again for a quarter of an hour. A large request may be unread for as long, where
// requests are queued, which is no loss.
func TestASmallRequestToALostMachineEnds(t *testing.T) {
	to, connections := rawNode(t, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
	c := New(Options{})
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
		option := func(name int) (value int) {
			var failed error
			require.NoError(t, idle[0].raw.Control(func(fd uintptr) { value, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, name) }))
			require.NoError(t, failed)
			return value
		}
		require.EqualValues(t, want.limit, option(unix.TCP_USER_TIMEOUT), "%d bytes", want.bytes)
		// Nor does a response come from there, however large the request was.
		silent := option(unix.TCP_KEEPIDLE) + option(unix.TCP_KEEPINTVL)*option(unix.TCP_KEEPCNT)
		require.EqualValues(t, lossTime/time.Second, silent)
	}
	require.EqualValues(t, 1, connections.Load())
}
