package runner

import (
	"context"
	"errors"
	"time"
)

// errLate is the error of a call whose deadline passed before its turn came.
var errLate = errors.New("its deadline passed before its turn came")

// turns lets so many calls run at a time; the others wait in the order they came.
// How many may wait is for gate to say.
type turns struct{ slots chan struct{} }

// newTurns returns turns for so many calls at a time; nil, which bounds nothing,
// for 0.
func newTurns(atOnce int) *turns {
	if atOnce == 0 {
		return nil
	}
	return &turns{slots: make(chan struct{}, atOnce)}
}

// take waits until the call may run, and returns what ends its turn. The error is
// the request's, or errLate.
func (t *turns) take(c *HandlerContext) (release func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	select {
	case t.slots <- struct{}{}:
		return t.release, nil
	default:
	}
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
