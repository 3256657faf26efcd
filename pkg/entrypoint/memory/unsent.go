package memory

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/mem"
)

// A connection is deaf if more than deafBytes have waited for deafTime, and its
// client has not accepted stepBytes in that time.
const (
	deafBytes = 64 << 10
	deafTime  = 100 * time.Millisecond
)

// closeDeaf closes the connection whose client reads its responses the least: the
// one on which the most bytes have waited for the longest. It reports whether
// there was a deaf one.
func (s *connections) closeDeaf(now time.Time) bool {
	var deafest *Connection
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

// Sending counts data as unsent by c until it is freed, and returns what
// is to be sent in its place: nil if the connection is closed.
func (c *Connection) Sending(data mem.Buffer) mem.Buffer { return c.sending(data, nil) }

func (c *Connection) sending(data mem.Buffer, call *Call) mem.Buffer {
	raw := data.ReadOnlyData()
	if mem.IsBelowBufferPoolingThreshold(cap(raw)) {
		return data // gRPC does not free it, so it is not counted
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
	if call != nil {
		call.unsent.Add(n)
	}
	return mem.NewBuffer(&raw, &sentBuffer{c, call, data, n})
}

// Call counts what is unsent of one call's messages. gRPC does not free a message that it accepts
// just after the client has ended the call, and a stream may send at any time.
type Call struct {
	conn   *Connection // nil: nothing is counted
	unsent atomic.Int64
}

// Call begins a call on c, which may be nil.
func (c *Connection) Call() *Call { return &Call{conn: c} }

// Sending is [Connection.Sending] for a message of the call.
func (c *Call) Sending(data mem.Buffer) mem.Buffer {
	if c.conn == nil {
		return data
	}
	return c.conn.sending(data, c)
}

// Left notes that the client has ended the call, and nothing more is sent of it: what gRPC still
// has is not counted any more.
func (c *Call) Left() {
	if n := c.unsent.Swap(settled); n > 0 && c.conn.unsent.Add(-n) >= 0 { // else that has given it back
		c.conn.listener.conns.held.Add(-n)
	}
}

// sentBuffer is the pool of one buffer: it gets it back once it has been sent.
type sentBuffer struct {
	conn *Connection
	call *Call // nil: the connection alone counts it
	data mem.Buffer
	n    int64
}

// Get implements mem.BufferPool; it is not called.
func (s *sentBuffer) Get(length int) *[]byte { return new(make([]byte, length)) }

// Put implements mem.BufferPool.
func (s *sentBuffer) Put(*[]byte) {
	left := s.call != nil && s.call.unsent.Add(-s.n) < 0
	if left || s.conn.unsent.Add(-s.n) < 0 {
		s.conn.listener.conns.held.Add(s.n) // given back when the call or the connection ended, and again below
	}
	s.data.Free()
}
