package durable

import (
	"sync"

	"krt.dev/kn-krt/pkg/queue/client"
)

// mostFinished bounds the events that are known as done.
const mostFinished = 8192

// place is where an event is in the stream: its number, and when it was published, because a stream
// that is made again counts again.
type place struct {
	sequence  uint64
	published int64
}

func placeOf(r *client.Received) place { return place{r.Sequence, r.Published.UnixNano()} }

// finished are events that are done, and of which the server may not know that.
type finished struct {
	mu   sync.Mutex
	at   map[place]struct{}
	ring [mostFinished]place
	next int
}

func (f *finished) add(r *client.Received) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == nil {
		f.at = map[place]struct{}{}
	}
	delete(f.at, f.ring[f.next%mostFinished])
	f.ring[f.next%mostFinished], f.at[placeOf(r)] = placeOf(r), struct{}{}
	f.next++
}

func (f *finished) has(r *client.Received) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, known := f.at[placeOf(r)]
	return known
}
