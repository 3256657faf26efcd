package memory

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"
)

// What gRPC does not free of a call whose client has left is counted no more; what it frees later
// is given back once, also if the connection has closed before or after.
func TestACallThatIsLeftHoldsNothing(t *testing.T) {
	for name, end := range map[string]func(*connections, *Connection, *Call){
		"the call":                func(_ *connections, _ *Connection, call *Call) { call.Left() },
		"the call, then the rest": func(s *connections, c *Connection, call *Call) { call.Left(); s.remove(c) },
		"the rest, then the call": func(s *connections, c *Connection, call *Call) { s.remove(c); call.Left() },
	} {
		b := New(testBudget, new(atomic.Int64), 16)
		pool := NewPool(b)
		c := &Connection{listener: b.Listen(nil)}
		b.conns.add(c)
		call := c.Call()
		sent, never, later := mem.NewBuffer(pool.Get(1), pool), mem.NewBuffer(pool.Get(4<<10), pool), mem.NewBuffer(pool.Get(1<<20), pool)
		told := int64(0)
		call.Sending(sent, func(n int64) { told = n }).Free()
		require.EqualValues(t, 2<<10, told)
		require.NotNil(t, call.Sending(never, nil))
		unfreed := call.Sending(later, nil)
		require.EqualValues(t, 1<<20+4<<10, b.Used())
		end(b.conns, c, call)
		require.Zero(t, b.Used(), name)
		unfreed.Free()
		require.Zero(t, b.Used(), name)
	}
	(*Connection)(nil).Call().Left()
}
