package channel

import (
	"context"
	"errors"
	"sync"
	"time"
)

// item is a stored event on its way to one subscriber.
type item struct {
	id    uint64
	event *event
	// delayed and held say that the channel's faults have been done to it.
	delayed, held, repeated bool
	// failures is how often neither the subscriber nor the dead-letter sink could have it.
	failures int
}

// queue is what one subscriber is still to be sent.
type queue struct {
	d    *Dispatcher
	ctx  context.Context
	stop context.CancelFunc

	mu      sync.Mutex
	rules   rules
	items   []*item
	waiting map[*item]*time.Timer
	working int
	ended   bool // the subscriber is gone
}

func newQueue(d *Dispatcher, r rules) *queue {
	q := &queue{d: d, rules: r, waiting: map[*item]*time.Timer{}}
	q.ctx, q.stop = context.WithCancel(d.ctx)
	return q
}

func (q *queue) change(r rules) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rules = r
}

// push has an event delivered as soon as a worker has time for it.
func (q *queue) push(i *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, i)
	switch {
	case q.ended:
		q.d.journal.Forget(i.id)
		return
	case q.ctx.Err() != nil: // the dispatcher is closed
		return
	}
	q.items = append(q.items, i)
	if q.working < q.d.Workers {
		q.working++
		q.d.workers.Go(q.work)
	}
}

// later pushes an event after a time.
func (q *queue) later(i *item, after time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		q.d.journal.Forget(i.id)
		return
	}
	q.waiting[i] = time.AfterFunc(after, func() { q.push(i) })
}

// end drops all that the subscriber was to be sent.
func (q *queue) end() {
	q.stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	for i, timer := range q.waiting {
		if timer.Stop() {
			q.items = append(q.items, i)
		}
	}
	q.waiting = map[*item]*time.Timer{}
	for _, i := range q.items {
		q.d.counts.Dropped++ // the dispatcher is locked
		q.d.journal.Forget(i.id)
	}
	q.items = nil
}

func (q *queue) pending() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(len(q.items) + len(q.waiting) + q.working)
}

// work delivers events until there are none.
func (q *queue) work() {
	for {
		q.mu.Lock()
		if len(q.items) == 0 || q.ctx.Err() != nil {
			q.working--
			q.mu.Unlock()
			return
		}
		i, r, alone := q.items[0], q.rules, len(q.items) == 1
		q.items = q.items[1:]
		q.mu.Unlock()
		switch {
		case !i.delayed && r.delay > 0:
			i.delayed = true
			q.later(i, r.delay)
		case !i.held && q.d.Chance(r.HoldBack):
			i.held = true
			q.d.count(&q.d.counts.HeldBack)
			if alone { // there is nobody to overtake it yet
				q.later(i, q.d.Pause/10)
			} else {
				q.push(i)
			}
		default:
			i.delayed, i.held = true, true
			q.deliver(i, r)
		}
	}
}

// deliver sends an event to the subscriber, passes its reply on, and only then forgets it.
func (q *queue) deliver(i *item, r rules) {
	destination := r.SubscriberURI
	reply, err := q.d.send(q.ctx, destination, i.event, r)
	if err == nil && r.ForgetFirst {
		q.d.journal.Forget(i.id)
	}
	if err == nil && reply != nil && r.ReplyURI != "" {
		destination = r.ReplyURI
		_, err = q.d.send(q.ctx, destination, reply.of(i.event), r)
	}
	if err != nil {
		q.failed(i, r, destination, err)
		return
	}
	q.d.count(&q.d.counts.Delivered)
	if !i.repeated && q.d.Chance(r.Repeat) {
		i.repeated = true
		q.d.count(&q.d.counts.Repeated)
		q.push(i)
		return
	}
	q.d.journal.Forget(i.id)
}

// failed sends an event to the dead-letter sink. Without one it is dropped, as Knative's channels do;
// if that cannot have it either, all is tried again later.
func (q *queue) failed(i *item, r rules, destination string, err error) {
	var f *failure
	if !errors.As(err, &f) { // the dispatcher is closed, or the subscriber is gone
		q.push(i)
		return
	}
	sink := r.Delivery.DeadLetterSink.URI
	if sink == "" {
		q.d.Log.Warn("an event is dropped: there is no dead-letter sink", "channel", i.event.To, "destination", destination, "error", err)
		q.d.count(&q.d.counts.Dropped)
		q.d.journal.Forget(i.id)
		return
	}
	if _, err := q.d.send(q.ctx, sink, i.event.failed(destination, f), r); err != nil {
		i.failures++
		q.d.Log.Warn("an event is kept for later: the dead-letter sink does not accept it", "channel", i.event.To, "sink", sink, "error", err)
		q.later(i, min(15*time.Second, q.d.Pause<<min(i.failures-1, 10)))
		return
	}
	q.d.count(&q.d.counts.DeadLettered)
	q.d.journal.Forget(i.id)
}
