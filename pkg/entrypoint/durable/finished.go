package durable

import (
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/queue/client"
)

// mostFinished bounds the events that are known as done.
const mostFinished = 8192

// finished are events that are done, and of which the server may not know that.
type finished struct {
	mu   sync.Mutex
	when map[uint64]time.Time // of publishing, by the number in the stream: another stream counts again
	ring [mostFinished]uint64
	next int
}

func (f *finished) add(r *client.Received) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.when == nil {
		f.when = map[uint64]time.Time{}
	}
	delete(f.when, f.ring[f.next%mostFinished])
	f.ring[f.next%mostFinished], f.when[r.Sequence] = r.Sequence, r.Published
	f.next++
}

func (f *finished) has(r *client.Received) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	when, known := f.when[r.Sequence]
	return known && when.Equal(r.Published)
}
