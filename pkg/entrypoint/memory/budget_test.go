package memory

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
)

const testBudget = 64 << 20

// message begins a reading of n bytes that notes why it was aborted.
func message(t *testing.T, b *Budget, n int64) (*Upload, *error) {
	t.Helper()
	var aborted error
	r := &Upload{Abort: func(cause error) { aborted = cause }}
	require.NoError(t, b.Begin(r, 0))
	require.NoError(t, r.Grow(n))
	return r, &aborted
}

func TestTheOldestMessageGivesWay(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 100)
	var readings []*Upload
	var causes []*error
	for range 12 { // 48 MiB, all that requests may have
		r, cause := message(t, b, 4<<20)
		readings, causes = append(readings, r), append(causes, cause)
	}
	require.EqualValues(t, 48<<20, b.Used())
	newcomer, _ := message(t, b, 1<<10)
	require.ErrorIs(t, *causes[0], ErrFull)
	require.ErrorIs(t, readings[0].Grow(1), ErrFull)
	for _, cause := range causes[2:] {
		require.NoError(t, *cause)
	}
	for _, r := range append(readings, newcomer) {
		r.End()
	}
	require.LessOrEqual(t, b.Used(), int64(0), "what was dropped has its place in flight given back by its handler")
}

// A slow message is not what fills a budget that is full of work: the newcomer is
// refused then.
func TestAMessageDoesNotGiveWayForWork(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 100)
	for range 10 {
		r, _ := message(t, b, 4<<20)
		r.Arrived()
	}
	upload, cause := message(t, b, 4<<20)
	newcomer := &Upload{Abort: func(error) {}}
	require.NoError(t, b.Begin(newcomer, 0))
	require.ErrorIs(t, newcomer.Grow(8<<20), ErrFull)
	require.NoError(t, *cause)
	require.NoError(t, upload.Grow(4<<20))
	require.True(t, b.HasRoom(16<<20))
	require.NoError(t, *cause)
	require.True(t, b.HasRoom(20<<20), "a response goes before what may still come")
	require.ErrorIs(t, *cause, ErrFull)
}

func TestMessagesThatHaveArrivedAreNotDropped(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 100)
	for range 12 {
		r, _ := message(t, b, 4<<20)
		r.Arrived()
	}
	r := &Upload{Abort: func(error) {}}
	require.NoError(t, b.Begin(r, 0), "a place costs nothing yet")
	require.ErrorIs(t, r.Grow(1), ErrFull)
	s := Refusal(ErrFull)
	require.EqualValues(t, code.Code_RESOURCE_EXHAUSTED, s.GetCode())
	require.True(t, b.HasRoom(16<<20), "what nodes send has room that clients cannot take")
	require.False(t, b.HasRoom(17<<20))
}

func TestALargestMessagePassesAnIdleEntrypoint(t *testing.T) {
	for _, size := range []int{1, 4 << 20, 1 << 30} {
		b := New(LeastBudget(size), new(atomic.Int64), 100)
		r := &Upload{Abort: func(error) {}}
		require.NoError(t, b.Begin(r, 0))
		require.NoError(t, r.Grow(int64(size)))
		require.True(t, b.HasRoom(int64(size)))
	}
}

func TestRequestsInFlightHaveAShare(t *testing.T) {
	var inFlight atomic.Int64
	b := New(testBudget, &inFlight, 100)
	inFlight.Store(48 << 20 / RequestBytes)
	require.False(t, b.Reserve(1))
	inFlight.Add(-1)
	require.True(t, b.Reserve(RequestBytes))
}

func TestASlowMessageIsEnded(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 100)
	slow, cause := message(t, b, 10)
	arrived, kept := message(t, b, 10)
	arrived.Arrived()
	b.sweep(time.Now())
	require.NoError(t, *cause)
	b.sweep(time.Now().Add(uploadTime + time.Second))
	require.ErrorIs(t, *cause, ErrSlow)
	require.ErrorIs(t, slow.Failed(io.EOF), ErrSlow)
	require.EqualValues(t, code.Code_DEADLINE_EXCEEDED, Refusal(ErrSlow).GetCode())
	require.NoError(t, *kept)
}

func TestManyReadingsReplaceTheOldest(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 16)
	aborted := 0
	for range 20 {
		require.NoError(t, b.Begin(&Upload{Abort: func(error) { aborted++ }}, 0))
	}
	require.Equal(t, 4, aborted)
}

func TestConnectionsAreBounded(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 16)
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := b.Listen(inner)
	defer l.Close()
	l.open.Store(maxConnections - 1)
	dial := func() net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", inner.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	accepted := make(chan net.Conn, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial()
	first := <-accepted
	_, err = dial().Read(make([]byte, 1))
	require.Error(t, err, "one more is closed at once")
	require.NoError(t, first.Close())
	_ = first.Close() // is counted once
	dial()
	<-accepted
}

func TestAClientThatReadsNothingIsClosed(t *testing.T) {
	b := New(testBudget, new(atomic.Int64), 16)
	pool := NewPool(b)
	connect := func() (*Connection, net.Conn) {
		server, client := net.Pipe()
		t.Cleanup(func() { _ = client.Close() })
		c := &Connection{Conn: server, listener: &Listener{conns: b.conns}}
		b.conns.add(c)
		return c, client
	}
	response := func(n int) (data interface{ Free() }, hold func(*Connection) interface{ Free() }) {
		buffer, err := pool.Read(strings.NewReader(strings.Repeat("x", n)), int64(n), 64<<20)
		require.NoError(t, err)
		return buffer, func(c *Connection) interface{ Free() } {
			if sent := c.Sending(buffer); sent != nil {
				return sent
			}
			return nil
		}
	}
	deaf, end := connect()
	good, _ := connect()
	_, hold := response(4 << 20)
	unsent := hold(deaf)
	_, hold = response(1 << 20)
	hold(good).Free() // is sent
	require.EqualValues(t, 4<<20, b.Used())

	since := time.Unix(0, deaf.moved.Load())
	require.False(t, b.conns.closeDeaf(since.Add(deafTime)), "it has not waited for long")
	require.True(t, b.conns.closeDeaf(since.Add(deafTime+1)))
	_, err := end.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, b.Used())
	unsent.Free() // gRPC may still free it
	require.Zero(t, b.Used())
	_, hold = response(1 << 10)
	require.Nil(t, hold(deaf), "nothing is sent on a closed connection")
	require.Zero(t, b.Used())
}
