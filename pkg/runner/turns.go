package runner

import (
	"context"
	"errors"
	"time"
)

// turnNotice is how long before its deadline a call gives up the wait for its turn.
const turnNotice = 100 * time.Millisecond

// errLate is the error of a call that has waited for its turn until its deadline.
var errLate = errors.New("busy: other calls ran until shortly before its deadline")

// turns limits how many calls run at a time; the others wait in the order in which
// they arrived. The gate limits how many may wait.
type turns struct{ slots chan struct{} }

// newTurns returns turns for atOnce calls at a time; nil, which limits nothing, for 0.
func newTurns(atOnce int) *turns {
	if atOnce == 0 {
		return nil
	}
	return &turns{slots: make(chan struct{}, atOnce)}
}

// take waits until the call may run; release ends its turn. The error is errLate, or
// why the HTTP request ended.
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
	if until := TurnBy(Deadline(c)); !until.IsZero() {
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
		return nil, &Unavailable{Err: errLate, Later: true}
	}
}

func (t *turns) release() { <-t.slots }
