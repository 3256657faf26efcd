package entrypoint

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// connected is a connection of l that has had as many requests since the given instant.
func connected(t *testing.T, l *listener, requests int32, since time.Time) *connection {
	t.Helper()
	server, client := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	c := &connection{Conn: server, listener: l}
	c.requests.Store(requests)
	c.since.Store(since.UnixNano())
	l.conns.add(c)
	l.open.Add(1)
	return c
}

func TestTheConnectionThatRestedLongestGivesWay(t *testing.T) {
	b := newBudget(testBudget, new(atomic.Int64), 16)
	l, other := b.listen(nil), b.listen(nil)
	now := time.Now()
	closed := func(c *connection) bool { return c.unsent.Load() < 0 }
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	connected(t, other, 0, before(time.Hour))
	busy := connected(t, l, 1, before(time.Hour))
	fresh := connected(t, l, 0, now)
	rested := connected(t, l, 0, before(time.Minute))
	longest := connected(t, l, 0, before(2*time.Minute))

	require.True(t, b.conns.closeResting(l, now))
	require.True(t, closed(longest))
	require.True(t, b.conns.closeResting(l, now))
	require.True(t, closed(rested))
	require.False(t, b.conns.closeResting(l, now), "one has just been used, one has a request")
	require.EqualValues(t, 2, l.open.Load())

	l.yields = true // what rests goes first all the same
	require.True(t, b.conns.closeResting(l, now))
	require.True(t, closed(fresh))
	newer := connected(t, l, 1, before(time.Minute))
	require.True(t, b.conns.closeResting(l, now))
	require.True(t, closed(busy))
	require.False(t, closed(newer))
	require.EqualValues(t, 1, other.open.Load())
}
