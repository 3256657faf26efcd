package durable

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/queue"
)

// watchTime is how often what the stream holds is read.
const watchTime = time.Second

// room is how much the stream may still hold. The server's own limit is higher: events between
// steps need room until the ones before them are done, and a stream that new requests could fill
// to the end would stop.
type room struct {
	left  atomic.Int64 // as last read
	since atomic.Int64 // published since then
	known atomic.Bool
}

func (r *room) add(n int) { r.since.Add(int64(n)) }

// set notes what was read.
func (r *room) set(waiting, most int64) {
	r.left.Store(most - waiting)
	r.since.Store(0)
	r.known.Store(true)
}

// has reports whether n bytes more can be accepted.
func (r *room) has(n int) bool { return !r.known.Load() || r.since.Load()+int64(n) <= r.left.Load() }

// admit returns [queue.ErrFull] if there is no room for the event of a new request.
func (c *Carrier) admit(ctx context.Context, n int) error {
	if c.room.has(n) {
		return nil
	}
	waiting, most, err := c.client.Bytes(ctx)
	if err != nil {
		return err
	}
	if c.room.set(waiting, most); !c.room.has(n) {
		return fmt.Errorf("%w: %d bytes wait in it, and it may hold %d", queue.ErrFull, waiting, most)
	}
	return nil
}

// watch sets the stream up and reads what it holds until no event is begun any more.
func (c *Carrier) watch() {
	for pause := firstPause; c.client.Ensure(c.fetching) != nil && c.fetching.Err() == nil; pause = min(2*pause, longestPause) {
		sleep(c.fetching, pause)
	}
	ticker := time.NewTicker(watchTime)
	defer ticker.Stop()
	for {
		if waiting, most, err := c.client.Bytes(c.fetching); err == nil {
			c.room.set(waiting, most)
		}
		select {
		case <-ticker.C:
		case <-c.fetching.Done():
			return
		}
	}
}
