package entrypoint

import (
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/mem"
)

const (
	// maxConnections bounds the connections of each port: each takes up to 100 KiB
	// before it has said anything.
	maxConnections = 1024
	// leastRest is how long a connection of a caller without a request is left alone.
	leastRest = time.Second
)

// listener takes connections up to a limit. For one more, that which has rested
// for the longest is closed; if there is none, the new one is, so that its client
// looks for another replica instead of waiting here.
type listener struct {
	net.Listener
	conns *connections
	open  atomic.Int64
	// yields says that any connection may be closed for a new one: what is posted
	// there is posted again, and probes must get through.
	yields bool
}

// listen takes the connections of l within the limit.
func (b *budget) listen(l net.Listener) *listener { return &listener{Listener: l, conns: b.conns} }

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		now := time.Now()
		if l.open.Add(1) <= maxConnections || l.conns.closeResting(l, now) {
			conn := &connection{Conn: c, listener: l}
			conn.since.Store(now.UnixNano())
			l.conns.add(conn)
			return conn, nil
		}
		l.open.Add(-1)
		_ = c.Close()
	}
}

// connection is a client's connection.
type connection struct {
	net.Conn
	listener *listener
	once     sync.Once
	// requests is how many are being answered on it, since when there are some, or
	// none: Unix time in nanoseconds.
	requests atomic.Int32
	since    atomic.Int64
	// ownStreams is how many streams of the entrypoint's own services there are.
	ownStreams atomic.Int32
	// unsent is how many bytes of responses gRPC holds for it; settled once the
	// connection is closed.
	unsent atomic.Int64
	// moved is when stepBytes had been sent again, or unsent began: Unix time in
	// nanoseconds. Step is what has been sent since.
	moved atomic.Int64
	step  atomic.Int64
}

// stepBytes is what a client that reads its responses takes at once. It is more
// than what answers to pings and the like come to.
const stepBytes = 16 << 10

// Write implements net.Conn. What is long is written in parts, so that each that
// the client takes can be seen.
func (c *connection) Write(p []byte) (n int, err error) {
	for {
		part, err := c.Conn.Write(p[n:min(n+windowBytes, len(p))])
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
func (c *connection) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.listener.open.Add(-1)
		c.listener.conns.remove(c)
	})
	return err
}

// begin counts a request that is to be answered on c, end ends it.
func (c *connection) begin() {
	if c.requests.Add(1) == 1 {
		c.since.Store(time.Now().UnixNano())
	}
}

func (c *connection) end() {
	if c.requests.Add(-1) == 0 {
		c.since.Store(time.Now().UnixNano())
	}
}

// peerAddress is a client's address by which its connection is found: gRPC tells
// handlers no more of it.
type peerAddress struct {
	net.Addr
	conn *connection
}

// RemoteAddr implements net.Conn.
func (c *connection) RemoteAddr() net.Addr { return peerAddress{c.Conn.RemoteAddr(), c} }

// connections are the open connections of an entrypoint.
type connections struct {
	sync.Mutex
	open map[*connection]struct{}
	held *atomic.Int64
}

func newConnections(held *atomic.Int64) *connections {
	return &connections{open: map[*connection]struct{}{}, held: held}
}

func (s *connections) add(c *connection) {
	s.Lock()
	s.open[c] = struct{}{}
	s.Unlock()
}

func (s *connections) remove(c *connection) {
	s.Lock()
	delete(s.open, c)
	s.Unlock()
	// gRPC frees what it has not sent only in part when a connection ends.
	if n := c.unsent.Swap(settled); n > 0 {
		s.held.Add(-n)
	}
}

// turn is which connection gives way first: the least. Those with requests come last.
func (c *connection) turn() int64 {
	if c.requests.Load() > 0 {
		return math.MaxInt64/2 + c.since.Load()
	}
	return c.since.Load()
}

// closeResting closes the connection of l that has had no request for the
// longest, or else, if l yields, that which has had one for the longest. It
// reports whether there was one.
func (s *connections) closeResting(l *listener, now time.Time) bool {
	var longest *connection
	first := now.Add(-leastRest).UnixNano()
	if l.yields {
		first = math.MaxInt64
	}
	s.Lock()
	for c := range s.open {
		if turn := c.turn(); c.listener == l && turn <= first {
			longest, first = c, turn
		}
	}
	s.Unlock()
	if longest == nil {
		return false
	}
	_ = longest.Close()
	return true
}

// A connection is deaf if more than deafBytes have waited for deafTime, and its
// client has not taken stepBytes in that time.
const (
	deafBytes = 64 << 10
	deafTime  = 100 * time.Millisecond
)

// closeDeaf closes the connection whose client reads its responses the least: the
// one on which the most bytes have waited for the longest. It reports whether
// there was a deaf one.
func (s *connections) closeDeaf(now time.Time) bool {
	var deafest *connection
	most := 0.0
	s.Lock()
	for c := range s.open {
		bytes, waited := c.unsent.Load(), now.Sub(time.Unix(0, c.moved.Load()))
		if score := float64(bytes) * waited.Seconds(); bytes > deafBytes && waited > deafTime && score > most {
			deafest, most = c, score
		}
	}
	s.Unlock()
	if deafest == nil {
		return false
	}
	_ = deafest.Close()
	return true
}

// sending counts data as unsent by c until gRPC has sent it, and returns what
// is to be sent in its place: nil if the connection is closed.
func (c *connection) sending(data mem.Buffer) mem.Buffer {
	raw := data.ReadOnlyData()
	if mem.IsBelowBufferPoolingThreshold(cap(raw)) {
		return data // gRPC would not tell when it is sent; nor is it counted
	}
	n := int64(cap(raw))
	switch left := c.unsent.Add(n); {
	case left < 0:
		data.Free()
		return nil
	case left == n:
		c.step.Store(0)
		c.moved.Store(time.Now().UnixNano())
	}
	return mem.NewBuffer(&raw, &sentBuffer{c, data, n})
}

// sentBuffer is the pool of one buffer: it learns when gRPC has sent it.
type sentBuffer struct {
	conn *connection
	data mem.Buffer
	n    int64
}

// Get implements mem.BufferPool; nobody asks.
func (s *sentBuffer) Get(length int) *[]byte { return new(make([]byte, length)) }

// Put implements mem.BufferPool.
func (s *sentBuffer) Put(*[]byte) {
	if left := s.conn.unsent.Add(-s.n); left < 0 {
		s.conn.listener.conns.held.Add(s.n) // given back when the connection closed, and again below
	}
	s.data.Free()
}
