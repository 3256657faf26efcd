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
func (c *Connection) Sending(data mem.Buffer) mem.Buffer {
	return c.sending(&sentBuffer{data: data, raw: data.ReadOnlyData()})
}

func (c *Connection) sending(s *sentBuffer) mem.Buffer {
	if mem.IsBelowBufferPoolingThreshold(cap(s.raw)) {
		s.returned()
		return s.data // gRPC does not free it, so it is not counted
	}
	n := int64(cap(s.raw))
	switch left := c.unsent.Add(n); {
	case left < 0:
		s.returned()
		s.data.Free()
		return nil
	case left == n:
		c.step.Store(0)
		c.moved.Store(time.Now().UnixNano())
	}
	if s.conn = c; s.call != nil {
		s.call.unsent.Add(n)
	}
	return mem.NewBuffer(&s.raw, s)
}

// Call counts what is unsent of one call's messages. gRPC does not free a message that it accepts
// just after the client has ended the call, and a stream may send at any time.
type Call struct {
	conn   *Connection // nil: nothing is counted
	unsent atomic.Int64
}

// Call begins a call on c, which may be nil.
func (c *Connection) Call() *Call { return &Call{conn: c} }

// Sending is [Connection.Sending] for a message of the call. Unless it is nil, freed is called with the
// size of data's buffer when that has been sent, or at once where nothing would tell.
func (c *Call) Sending(data mem.Buffer, freed func(bytes int64)) mem.BufferSlice {
	s := &sentBuffer{call: c, data: data, raw: data.ReadOnlyData(), freed: freed}
	if c.conn == nil {
		s.returned()
		s.out[0] = data
	} else if s.out[0] = c.conn.sending(s); s.out[0] == nil {
		return nil
	}
	return s.out[:]
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
	conn  *Connection
	call  *Call // nil: the connection alone counts it
	data  mem.Buffer
	raw   []byte
	freed func(bytes int64) // nil: nobody is told
	out   [1]mem.Buffer     // what is sent in its place: one piece of memory for all that a message needs
}

// Get implements mem.BufferPool; it is not called.
func (s *sentBuffer) Get(length int) *[]byte { return new(make([]byte, length)) }

// Put implements mem.BufferPool.
func (s *sentBuffer) Put(*[]byte) {
	n := int64(cap(s.raw))
	left := s.call != nil && s.call.unsent.Add(-n) < 0
	if left || s.conn.unsent.Add(-n) < 0 {
		s.conn.listener.conns.held.Add(n) // given back when the call or the connection ended, and again below
	}
	s.data.Free()
	s.returned()
}

// returned tells that the buffer has been sent.
func (s *sentBuffer) returned() {
	if s.freed != nil {
		s.freed(int64(cap(s.raw)))
	}
}
