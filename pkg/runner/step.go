package runner

import (
	"encoding/hex"
	"log/slog"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// step is what the runner reports of a call with each event that the call sends
// (krtsteps), and the span of the handler's run in the trace of the request.
type step struct {
	arrived time.Time   // when the event had been read
	cold    bool        // the first event since the process was ready
	hop     event.Trace // that brought the event; zero: the request is not traced
	span    [8]byte
	caller  [8]byte // the span that sent the event; zero unless the request is sampled

	// HandlerContext.mu guards the fields below.
	begun time.Time   // when it was the call's turn; zero before
	ended time.Time   // when the handler had returned; zero before
	trace event.Trace // of the span, with hop as its origin; made on first use
}

// arrive records when c's event had been read, and the trace context in the headers of
// the request that brought it.
func (c *HandlerContext) arrive(at time.Time, hop event.Trace) {
	s := &c.step
	s.arrived, s.hop, s.span, s.caller = at, c.in.Trace.Via(hop), event.NewSpan(), c.in.Trace.Caller(hop)
	c.names.trace, c.names.span = s.hop.ID(), s.span
}

// first reports whether it is called for the first time: the event is a cold start's.
func (n *node) first() bool { return !n.called.Load() && n.called.CompareAndSwap(false, true) }

// trace returns the trace context of the handler's span, zero if the request is not
// traced.
func (c *HandlerContext) trace() event.Trace {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lockedTrace()
}

// lockedTrace is trace for a caller that has locked c.mu.
func (c *HandlerContext) lockedTrace() event.Trace {
	if s := &c.step; s.trace.Parent == "" { // made on first use, because most calls need none
		s.trace = s.hop.Child(s.span)
	}
	return c.step.trace
}

// report returns what is reported of c so far. The caller has locked c.mu.
func (c *HandlerContext) report(outcome event.Outcome) event.Step {
	s, now := &c.step, c.step.ended
	if now.IsZero() {
		now = time.Now()
	}
	begun := s.begun
	if begun.IsZero() { // it was never the call's turn
		begun = now
	}
	return event.Step{
		Node: c.node.name, Start: s.arrived, Wait: begun.Sub(s.arrived), Run: now.Sub(begun),
		SpanID: s.span, Outcome: outcome, Cold: s.cold, Parent: s.caller,
	}
}

// names are the names of a call in log lines.
type names struct {
	workflow, correlationID string
	trace                   string // id of the trace; empty: none
	span                    [8]byte
}

// attrs returns the attributes of a log line of the call; of no call if names is nil.
// They are added to each line instead of once by slog's With: most calls log nothing and
// should cost nothing.
func (n *names) attrs() []slog.Attr {
	if n == nil || n.workflow == "" && n.correlationID == "" && n.trace == "" {
		return nil
	}
	attrs := make([]slog.Attr, 2, 4)
	attrs[0], attrs[1] = slog.String("workflow", n.workflow), slog.String("correlationid", n.correlationID)
	if n.trace == "" {
		return attrs
	}
	return append(attrs, slog.String("trace_id", n.trace), slog.String("span_id", hex.EncodeToString(n.span[:])))
}
