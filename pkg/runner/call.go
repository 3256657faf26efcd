package runner

import (
	"context"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// callContext is the context of a call. Its deadline moves when the handler replies
// early.
type callContext struct {
	context.Context // the HTTP request's, with the call's values

	done  chan struct{}
	leave func() bool // stops watching the parent

	mu       sync.Mutex // guards the fields below
	deadline time.Time
	timer    *time.Timer // nil without a deadline
	err      error
}

func newCallContext(parent context.Context, deadline time.Time) *callContext {
	x := &callContext{Context: parent, done: make(chan struct{})}
	x.move(deadline)
	x.leave = context.AfterFunc(parent, func() { x.end(parent.Err()) })
	return x
}

// Deadline implements context.Context: the deadline as it is now.
func (x *callContext) Deadline() (time.Time, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.deadline, !x.deadline.IsZero()
}

// Done implements context.Context.
func (x *callContext) Done() <-chan struct{} { return x.done }

// Err implements context.Context.
func (x *callContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// move sets the deadline; zero means none.
func (x *callContext) move(deadline time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer != nil {
		x.timer.Stop()
	}
	if x.deadline = deadline; x.err == nil && !deadline.IsZero() {
		x.timer = time.AfterFunc(time.Until(deadline), x.expire)
	}
}

// expire ends the context unless its deadline was moved at the same instant.
func (x *callContext) expire() {
	if deadline, _ := x.Deadline(); !time.Now().Before(deadline) {
		x.end(context.DeadlineExceeded)
	}
}

// end ends the context once.
func (x *callContext) end(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return
	}
	x.err = err
	if x.timer != nil {
		x.timer.Stop()
	}
	close(x.done)
}

// close frees what the context holds when the call is over.
func (x *callContext) close() {
	x.leave()
	x.end(context.Canceled)
}

// readDeadline is the connection's deadline for reading the request. A call lifts it
// when it may run for longer.
type readDeadline interface{ SetReadDeadline(time.Time) error }

// until returns when the call must end, zero for never: the earlier of its deadline
// and the end of the node's own timeout.
func (c *HandlerContext) until() time.Time {
	if c.deadline.IsZero() || !c.limit.IsZero() && c.limit.Before(c.deadline) {
		return c.limit
	}
	return c.deadline
}

// begin records that the call no longer waits for its turn: the handler's time, and the
// node's own timeout, start now. Later calls of begin change nothing.
func (c *HandlerContext) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.step.begun.IsZero() {
		return
	}
	c.step.begun = time.Now()
	if c.over == nil {
		return
	}
	c.limit = c.step.begun.Add(c.node.timeout)
	c.timer = time.AfterFunc(c.node.timeout, func() { close(c.over) })
	if c.ctx != nil {
		c.ctx.move(c.until())
	}
}

// tookTooLong reports whether the node's own timeout has passed.
func (c *HandlerContext) tookTooLong() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.limit.IsZero() && !time.Now().Before(c.limit)
}

// detach records that the client has its response: the client's deadline no longer
// applies, the background timeout does.
func (c *HandlerContext) detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.detached {
		return // by an earlier node, or the client never waited
	}
	c.detached, c.deadline = true, time.Now().Add(c.node.backgroundTimeout)
	if c.ctx != nil {
		c.ctx.move(c.until())
	}
	if c.conn != nil {
		_ = c.conn.SetReadDeadline(time.Time{})
	}
}

// stamp sets on e when the work must end, whether a client still waits, and what is
// reported of the call.
func (c *HandlerContext) stamp(e *event.Event, outcome event.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.Deadline, e.Replied = c.deadline, c.detached
	e.Steps = c.in.Steps.Append(c.report(outcome))
}

// steps returns what is reported of the call if it sends no event.
func (c *HandlerContext) steps(outcome event.Outcome) event.Steps {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.Steps.Append(c.report(outcome))
}

// expired reports whether the call's deadline has passed.
func (c *HandlerContext) expired() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.deadline.IsZero() && time.Now().After(c.deadline)
}
