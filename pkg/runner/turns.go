package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What may wait for its turn, all calls of a node together. What is more is
// refused with 503, so that delivery tries again later, or elsewhere.
const (
	maxWaiting      = 1024
	maxWaitingBytes = 64 << 20
)

// errLate is the error of a call whose deadline passed before its turn came.
var errLate = errors.New("its deadline passed before its turn came")

// turns lets so many calls run at a time; the others wait in the order they came.
type turns struct {
	slots chan struct{}

	mu      sync.Mutex // guards what follows
	waiting int
	bytes   int // of the messages that wait
}

// newTurns returns turns for so many calls at a time; nil, which bounds nothing,
// for 0.
func newTurns(atOnce int) *turns {
	if atOnce == 0 {
		return nil
	}
	return &turns{slots: make(chan struct{}, atOnce)}
}

// take waits until the call may run, and returns what ends its turn. The error is
// the request's, errLate, or an Unavailable where too many wait already.
func (t *turns) take(c *HandlerContext) (release func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	select {
	case t.slots <- struct{}{}:
		return t.release, nil
	default:
	}
	if err := t.queue(len(c.in.Data)); err != nil {
		return nil, err
	}
	defer t.leave(len(c.in.Data))
	var late <-chan time.Time
	if until := Deadline(c); !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case t.slots <- struct{}{}:
		return t.release, nil
	case <-c.parent.Done():
		return nil, context.Cause(c.parent)
	case <-late:
		return nil, errLate
	}
}

func (t *turns) release() { <-t.slots }

// queue counts a call that begins to wait.
func (t *turns) queue(bytes int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == maxWaiting || t.waiting > 0 && t.bytes+bytes > maxWaitingBytes {
		return &Unavailable{fmt.Errorf("too busy: %d calls wait, and %d run at a time (workers)", t.waiting, cap(t.slots))}
	}
	t.waiting++
	t.bytes += bytes
	return nil
}

func (t *turns) leave(bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting--
	t.bytes -= bytes
}
