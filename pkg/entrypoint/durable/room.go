package durable

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
)

const (
	// watchTime is how often what the stream holds is read.
	watchTime = time.Second
	// sweepTime is how often what is done is removed, if it is there still.
	sweepTime = 10 * time.Second
	// readPause is the shortest pause between two readings because there is no room.
	readPause = 20 * time.Millisecond
	// unreadShare is what share of the room that was left may be used before it is read again:
	// other replicas use it, too.
	unreadShare = 4
)

// room is how much the stream may still hold.
//
// The server's own limit is higher than that of new requests: events between steps need room until
// the ones before them are done, and a stream that new requests could fill to the end would stop. What is
// above is shared among the steps, and a later one may use more of it than those before: so there is
// always room for what the last but one sends to the last, and the queue empties from its end.
type room struct {
	reading chan struct{} // holds whoever reads it
	read    time.Time     // when that was last done, and err why it failed; guarded by reading
	err     error

	mu      sync.Mutex
	known   bool
	waiting int64 // as it was read
	begun   int64 // bytes that were published or are being published, of all time
	stored  int64 // of them, those that are stored
	before  int64 // stored before the reading began, so that they are in it
}

// take counts n bytes that are to be published, if with them no more than limit wait. With unread they
// must be little of what was left when it was last read.
func (r *room) take(n, limit int64, unread bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := r.begun - r.before + n
	if unread && since > (limit-r.waiting)/unreadShare || r.waiting+since > limit {
		if r.known {
			return false
		}
	}
	r.begun += n
	return true
}

// done notes what has become of n bytes that were taken.
func (r *room) done(n int64, stored bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if stored {
		r.stored += n
	} else {
		r.begun -= n
	}
}

// uses reports whether something was in the stream when it was last read.
func (r *room) uses() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting > 0
}

// renew reads how much waits, unless that was done just now, by whoever has waited for it.
func (c *Carrier) renew(ctx context.Context) error {
	r := &c.room
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if time.Since(r.read) < readPause {
		return r.err
	}
	r.mu.Lock()
	before := r.stored
	r.mu.Unlock()
	waiting, err := c.client.Bytes(ctx)
	if ctx.Err() == nil { // else nothing is known
		r.read, r.err = time.Now(), err
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting, r.before, r.known = waiting, before, true
	return nil
}

// admit takes room for n bytes that are to be published for the step with an index; see [room.done].
// The error is [queue.ErrFull] if there is none.
func (c *Carrier) admit(ctx context.Context, n int64, workflow string, index int) error {
	most, reserve := c.client.Room()
	limit := most
	for i := range c.options.Workflows {
		if w := &c.options.Workflows[i]; w.Name == workflow {
			limit += reserve * int64(index) / int64(len(w.Steps))
		}
	}
	if c.room.take(n, limit, true) {
		return nil
	}
	if err := c.renew(ctx); err != nil {
		return err
	}
	if !c.room.take(n, limit, false) {
		return fmt.Errorf("%w: it may hold %d bytes, and the %d of this event do not fit", queue.ErrFull, limit, n)
	}
	return nil
}

// publish publishes m once, for which the step with an index has room. Where the stream is gone, it
// is made again.
func (c *Carrier) publish(ctx context.Context, m client.Message, index int) error {
	n := m.Bytes()
	if err := c.admit(ctx, n, m.Step.Workflow, index); err != nil {
		return err
	}
	err := c.client.Publish(ctx, m)
	if errors.Is(err, queue.ErrMissing) {
		c.client.Forget()
		switch again := c.client.Ensure(ctx); {
		case again == nil:
			err = c.client.Publish(ctx, m)
		case errors.Is(again, queue.ErrFull):
			err = again
		}
	}
	c.room.done(n, err == nil)
	return err
}

// watch sets the stream up and reads what it holds until no event is begun any more.
func (c *Carrier) watch() {
	for pause := firstPause; c.fetching.Err() == nil; pause = min(2*pause, longestPause) {
		err := c.client.Ensure(c.fetching)
		if err == nil {
			break
		}
		if errors.Is(err, queue.ErrFull) {
			c.log.Error("the queue has no room for the version, which accepts nothing", "error", err)
		}
		sleep(c.fetching, pause)
	}
	ticker := time.NewTicker(watchTime)
	defer ticker.Stop()
	var swept time.Time
	for {
		_ = c.renew(c.fetching) // or what was read before holds
		if time.Since(swept) > sweepTime && c.room.uses() && c.client.Sweep(c.fetching) == nil {
			swept = time.Now()
		}
		select {
		case <-ticker.C:
		case <-c.fetching.Done():
			return
		}
	}
}
