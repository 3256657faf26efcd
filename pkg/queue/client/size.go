package client

import (
	"sync/atomic"

	"krt.dev/kn-krt/pkg/queue"
)

// size is how large the events of a step are, as far as that is known: as the largest of those that came last.
type size struct{ bytes atomic.Int64 }

// size returns that of a step's events.
func (c *Client) size(s queue.Step) *size {
	known, _ := c.sizes.LoadOrStore(s.Consumer(), &size{})
	return known.(*size)
}

// saw notes how large an event was. Larger ones before it count less with each.
func (z *size) saw(bytes int64) {
	before := z.bytes.Load()
	z.bytes.Store(max(bytes, before-before/8))
}

// fit is how many events may be fetched at once from several servers that have so many bytes together.
func (z *size) fit(bytes int) int {
	of := z.bytes.Load()
	if of == 0 {
		return 1
	}
	return int(max(min(int64(bytes)/of, replicatedBatch), 1))
}
