package memory

import "sync/atomic"

// A connection may have one stream of the entrypoint's own services, and
// StreamsPerConnection while there are fewer than MaxStreams in all.
const (
	StreamsPerConnection = 100 // a proxy has those of many clients on one
	MaxStreams           = 1024
)

// Streams bounds the streams of the entrypoint's own services (health,
// reflection), which clients keep open for as long as they like. They take
// nothing of the budget: those who watch the health must not block requests.
type Streams struct{ open atomic.Int64 }

// Begin counts a stream on c, and reports whether there may be one more. In
// either case End must be called.
func (s *Streams) Begin(c *Connection) bool {
	on, all := c.ownStreams.Add(1), s.open.Add(1)
	return on == 1 || on <= StreamsPerConnection && all <= MaxStreams
}

// End ends a stream that Begin has counted.
func (s *Streams) End(c *Connection) {
	c.ownStreams.Add(-1)
	s.open.Add(-1)
}
