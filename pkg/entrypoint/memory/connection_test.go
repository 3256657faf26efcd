package memory

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"
)

// connected is a connection of l that has had as many requests since the given instant.
func connected(t *testing.T, l *Listener, requests int32, since time.Time) *Connection {
	t.Helper()
	server, client := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	c := &Connection{Conn: server, listener: l}
	c.requests.Store(requests)
	c.since.Store(since.UnixNano())
	l.conns.add(c)
	l.open.Add(1)
	return c
}

func TestTheConnectionThatRestedLongestGivesWay(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 16)
	l, other := b.Listen(nil), b.Listen(nil)
	now := time.Now()
	closed := func(c *Connection) bool { return c.unsent.Load() < 0 }
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	connected(t, other, 0, before(time.Hour))
	busy := connected(t, l, 1, before(time.Hour))
	fresh := connected(t, l, 0, now)
	rested := connected(t, l, 0, before(time.Minute))
	longest := connected(t, l, 0, before(2*time.Minute))

	require.True(t, b.conns.closeIdle(l, now))
	require.True(t, closed(longest))
	require.True(t, b.conns.closeIdle(l, now))
	require.True(t, closed(rested))
	require.False(t, b.conns.closeIdle(l, now), "one has just been used, one has a request")
	require.EqualValues(t, 2, l.open.Load())

	l.Yields = true // what rests goes first all the same
	require.True(t, b.conns.closeIdle(l, now))
	require.True(t, closed(fresh))
	newer := connected(t, l, 1, before(time.Minute))
	require.True(t, b.conns.closeIdle(l, now))
	require.True(t, closed(busy))
	require.False(t, closed(newer))
	require.EqualValues(t, 1, other.open.Load())
}

// A connection that is held is never closed for a new one, however many there are; and
// there is always one that is not held.
func TestAHeldConnectionDoesNotGiveWay(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 16)
	l := b.Listen(nil)
	l.Yields, l.Most = true, 4
	now := time.Now()
	var held []*Connection
	for range 3 {
		c := connected(t, l, 1, now.Add(-time.Hour))
		require.True(t, c.Hold())
		held = append(held, c)
	}
	probe := connected(t, l, 1, now)
	require.False(t, probe.Hold(), "three of four are held")
	require.True(t, b.conns.closeIdle(l, now))
	require.Negative(t, probe.unsent.Load(), "it is closed, though the others are older")
	require.False(t, b.conns.closeIdle(l, now))

	held[0].Unhold()
	require.True(t, connected(t, l, 1, now).Hold())
	require.NoError(t, held[1].Close())
	held[1].Unhold() // once is enough
	require.EqualValues(t, 2, l.held.Load())
	require.True(t, b.conns.closeIdle(l, now))
	require.Negative(t, held[0].unsent.Load())
}

// A client that reads a large response slowly is not deaf; one that reads only the
// responses to its pings is.
func TestAClientThatReadsSlowlyIsNotDeaf(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 16)
	pool := NewPool(b)
	server, client := net.Pipe()
	defer client.Close()
	c := &Connection{Conn: server, listener: b.Listen(nil)}
	b.conns.add(c)
	unsent := c.Sending(mem.NewBuffer(pool.Get(4<<20), pool))
	long := time.Now().Add(-time.Minute).UnixNano()
	take := func(write, read int) {
		c.moved.Store(long)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = c.Write(make([]byte, write))
		}()
		_, err := io.ReadFull(client, make([]byte, read))
		require.NoError(t, err)
		if read == write {
			<-done
		}
	}
	notDeaf := func() { // at the instant when it last took something, however slow this machine is
		require.Greater(t, c.moved.Load(), long)
		require.False(t, b.conns.closeDeaf(time.Unix(0, c.moved.Load())))
	}
	take(64<<10, 64<<10)
	notDeaf()
	take(17, 17)
	require.True(t, c.moved.Load() == long)
	take(4<<20, 100<<10) // a part of what is written at once
	notDeaf()
	c.moved.Store(long)
	require.True(t, b.conns.closeDeaf(time.Now()))
	unsent.Free()
	require.Zero(t, b.Used())
}

// A connection counts what gRPC frees once it is sent: it does not free small
// buffers.
func TestSmallResponsesAreNotCountedAsUnsent(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 16)
	server, client := net.Pipe()
	defer client.Close()
	c := &Connection{Conn: server, listener: &Listener{conns: b.conns}}
	b.conns.add(c)
	for range 1000 {
		c.Sending(mem.SliceBuffer(strings.Repeat("x", 100))).Free()
	}
	require.Zero(t, c.unsent.Load())
	require.NoError(t, c.Close())
	require.Zero(t, b.Used())
}
