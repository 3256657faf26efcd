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
	at   map[place]bool // whether the request's work has ended with it
	ring [mostFinished]place
	next int
}

func (f *finished) add(r *client.Received, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == nil {
		f.at = map[place]bool{}
	}
	delete(f.at, f.ring[f.next%mostFinished])
	f.ring[f.next%mostFinished], f.at[placeOf(r)] = placeOf(r), ended
	f.next++
}

func (f *finished) has(r *client.Received) (ended, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ended, known = f.at[placeOf(r)]
	return ended, known
}
