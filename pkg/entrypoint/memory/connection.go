package memory

import (
	"context"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/peer"
)

const (
	// maxConnections bounds the connections of a port unless it has a limit of its own:
	// each takes up to 100 KiB before anything has been sent on it.
	maxConnections = 1024
	// leastRest is how long the connection of a client without a request is left
	// alone.
	leastRest = time.Second
)

// Listener accepts connections up to a limit. For one more, the one that has
// been idle for the longest is closed; if none is idle, the new one is, so that
// its client tries another replica instead of waiting here.
type Listener struct {
	net.Listener
	conns *connections
	open  atomic.Int64
	held  atomic.Int64 // of open, those that Hold keeps
	// Yields means that any connection may be closed for a new one, unless it is held (see
	// [Connection.Hold]): what is posted there is posted again, and probes must get through.
	Yields bool
	// Most bounds the connections; 0 means 1,024.
	Most int
}

func (l *Listener) most() int64 {
	if l.Most > 0 {
		return int64(l.Most)
	}
	return maxConnections
}

// Listen bounds the connections of l.
func (b *Budget) Listen(l net.Listener) *Listener { return &Listener{Listener: l, conns: b.conns} }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		now := time.Now()
		if l.open.Add(1) <= l.most() || l.conns.closeIdle(l, now) {
			conn := &Connection{Conn: c, listener: l}
			conn.since.Store(now.UnixNano())
			l.conns.add(conn)
			return conn, nil
		}
		l.open.Add(-1)
		_ = c.Close()
	}
}

// Connection is a client's connection.
type Connection struct {
	net.Conn
	listener *Listener
	once     sync.Once
	// requests is how many are being served on it, since when there are some, or
	// none: Unix time in nanoseconds.
	requests atomic.Int32
	since    atomic.Int64
	held     atomic.Bool // see Hold
	// ownStreams is how many streams of the entrypoint's own services there are.
	ownStreams atomic.Int32
	// unsent is how many bytes of responses are held for it; settled once the
	// connection is closed.
	unsent atomic.Int64
	// moved is when stepBytes had been sent again, or unsent began: Unix time in
	// nanoseconds. Step is what has been sent since.
	moved atomic.Int64
	step  atomic.Int64
}

// stepBytes is what a client that reads its responses accepts at once. It is more
// than what responses to pings and the like come to.
const stepBytes = 16 << 10

// Write implements net.Conn. What is long is written in parts, so that each that
// the client accepts can be seen.
func (c *Connection) Write(p []byte) (n int, err error) {
	for {
		part, err := c.Conn.Write(p[n:min(n+WindowBytes, len(p))])
		if n += part; c.step.Add(int64(part)) >= stepBytes {
			c.step.Store(0)
			c.moved.Store(time.Now().UnixNano())
		}
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// Close implements net.Conn.
func (c *Connection) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.listener.open.Add(-1)
		c.Unhold()
		c.listener.conns.remove(c)
	})
	return err
}

// Begin counts a request that is served on c; End ends it.
func (c *Connection) Begin() {
	if c.requests.Add(1) == 1 {
		c.since.Store(time.Now().UnixNano())
	}
}

// End ends a request that Begin has counted.
func (c *Connection) End() {
	if c.requests.Add(-1) == 0 {
		c.since.Store(time.Now().UnixNano())
	}
}

// Hold keeps c from being closed for a new connection until Unhold: what is posted on it
// cannot be posted again. It reports false, and holds nothing, where three quarters of
// those that the listener may have are held already, because probes must get through.
func (c *Connection) Hold() bool {
	if c.listener.held.Add(1) > c.listener.most()*3/4 {
		c.listener.held.Add(-1)
		return false
	}
	c.held.Store(true)
	return true
}

// Unhold ends what Hold has begun, if it has.
func (c *Connection) Unhold() {
	if c.held.Swap(false) {
		c.listener.held.Add(-1)
	}
}

// peerAddress is a client's address by which its connection is found: gRPC gives
// handlers nothing else of it.
type peerAddress struct {
	net.Addr
	conn *Connection
}

// RemoteAddr implements net.Conn.
func (c *Connection) RemoteAddr() net.Addr { return peerAddress{c.Conn.RemoteAddr(), c} }

// ConnectionAt returns the connection whose client has the given address; nil if
// it is not one of a [Listener].
func ConnectionAt(client net.Addr) *Connection {
	if at, ok := client.(peerAddress); ok {
		return at.conn
	}
	return nil
}

// ConnectionOf is the connection of a gRPC call's ctx; nil if it is not known.
func ConnectionOf(ctx context.Context) *Connection {
	if p, ok := peer.FromContext(ctx); ok {
		return ConnectionAt(p.Addr)
	}
	return nil
}

// connections are the open connections of an entrypoint.
type connections struct {
	sync.Mutex
	open map[*Connection]struct{}
	held *atomic.Int64
}

func newConnections(held *atomic.Int64) *connections {
	return &connections{open: map[*Connection]struct{}{}, held: held}
}

func (s *connections) add(c *Connection) {
	s.Lock()
	s.open[c] = struct{}{}
	s.Unlock()
}

func (s *connections) remove(c *Connection) {
	s.Lock()
	delete(s.open, c)
	s.Unlock()
	// gRPC frees only a part of what it has not sent when a connection ends.
	if n := c.unsent.Swap(settled); n > 0 {
		s.held.Add(-n)
	}
}

// order says which connection gives way first: the one with the least. Those with
// requests come last.
func (c *Connection) order() int64 {
	if c.requests.Load() > 0 {
		return math.MaxInt64/2 + c.since.Load()
	}
	return c.since.Load()
}

// closeIdle closes the connection of l that has had no request for the
// longest, or else, if l yields, the one that has had one for the longest and is not
// held. It reports whether there was one.
func (s *connections) closeIdle(l *Listener, now time.Time) bool {
	var longest *Connection
	first := now.Add(-leastRest).UnixNano()
	if l.Yields {
		first = math.MaxInt64
	}
	s.Lock()
	for c := range s.open {
		if order := c.order(); c.listener == l && order <= first && !c.held.Load() {
			longest, first = c, order
		}
	}
	s.Unlock()
	if longest == nil {
		return false
	}
	_ = longest.Close()
	return true
}
