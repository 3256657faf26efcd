package memory

import (
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
	return mem.NewBuffer(&raw, &sentBuffer{c, data, n})
}

// sentBuffer is the pool of one buffer: it gets it back once it has been sent.
type sentBuffer struct {
	conn *Connection
	data mem.Buffer
	n    int64
}

// Get implements mem.BufferPool; it is not called.
func (s *sentBuffer) Get(length int) *[]byte { return new(make([]byte, length)) }

// Put implements mem.BufferPool.
func (s *sentBuffer) Put(*[]byte) {
	if left := s.conn.unsent.Add(-s.n); left < 0 {
		s.conn.listener.conns.held.Add(s.n) // given back when the connection closed, and again below
	}
	s.data.Free()
}
