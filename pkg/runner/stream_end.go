package runner

import (
	"context"
	"errors"

	"krt.dev/kn-krt/pkg/runner/event"
)

// ending is how a handler has ended.
type ending struct {
	out     Output
	err     error
	exit    bool // its message ends the workflow
	replied bool // early
}

// close ends the handler's use of the stream, and reports whether it has begun, so that it
// must be ended. A stream without messages begins here if the handler has returned none,
// and may end it.
func (s *stream) close(e ending) (begun bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if e.err == nil && e.out.Message == "" && (e.exit || s.last()) && !e.replied && !s.c.in.Replied && !s.c.expired() {
		s.open()
	}
	return s.out != nil || s.err != nil
}

// finish ends a stream that has begun, as the handler has ended, and returns the event for
// the next step; nil if the chain ends here. Then the client has what the stream has, and
// the handler must not run again.
func (n *node) finish(c *HandlerContext, e ending) (next *event.Event) {
	s := c.stream
	switch {
	case s.err != nil:
		c.logLost(s.err, e.err)
		s.out.abort()
		return nil
	case e.err != nil && c.parent.Err() != nil && errors.Is(e.err, context.Canceled):
		c.logLost(context.Cause(c.parent), e.err)
		s.out.abort()
		return nil
	case c.expired():
		c.own.Slog().Warn("call ended after its deadline: its result is dropped", "error", e.err)
		s.out.abort()
		return nil
	}
	next, frames := n.ending(c, e)
	if err := s.out.end(frames); err != nil {
		c.logLost(err, e.err)
		return nil
	}
	return next
}

// logLost logs that a stream has no end, and the handler's own error. That the client has
// gone is usual.
func (c *HandlerContext) logLost(cause, err error) {
	if errors.Is(cause, context.Canceled) {
		c.own.Slog().Info("call cancelled: the client no longer waits for the stream", "cause", cause, "error", err)
		return
	}
	c.own.Slog().Warn("stream broken off: its result is dropped", "cause", cause, "error", err)
}

// ending returns the frames that end the stream: the last message, if the handler has
// returned one for the client, and the end; and the event for the next node, if the
// stream goes on there.
func (n *node) ending(c *HandlerContext, e ending) (next *event.Event, frames []byte) {
	s := c.stream
	switch {
	case e.err != nil || s.replied:
	case e.exit || s.last():
		if e.out.Message == "" {
			break
		}
		if e.err = s.check(e.out); e.err == nil {
			frames = event.AppendFrame(s.frame[:0], e.out.Data)
		}
	case e.out.Message == "":
		e.err = wrongOutput("the handler returned no message: only the last node may end the stream")
	default:
		if next, e.err = n.newEvent(c, event.OutcomeOK, e.out); e.err == nil {
			return next, event.AppendEnd(frames, event.End{Next: true})
		}
	}
	if e.err != nil {
		n.logFailure(c, e.err)
		f := n.failure(c, e.err)
		return nil, event.AppendEnd(frames, event.End{Failure: f.Status(), Steps: c.steps(event.OutcomeError)})
	}
	outcome := event.OutcomeOK
	if e.exit {
		outcome = event.OutcomeExit
	}
	return nil, event.AppendEnd(frames, event.End{Steps: c.steps(outcome)})
}
