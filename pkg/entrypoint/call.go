package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/runner/event"
)

// inbound is a request as one of the ports took it.
type inbound struct {
	data        mem.Buffer
	causationID string // the id of the caller's own event, if it sent one
	traceParent string
	traceState  string
}

// request is one call on its way. Two parties work on it: the caller's
// goroutine, which waits for the answer, and the delivery's, which may go on
// behind an early reply. The last one to finish lets the table go.
type request struct {
	table    *table
	route    *route
	first    Parcel
	answer   chan answer // one slot, for the first answer
	answered atomic.Bool
	step     atomic.Int32
	parties  atomic.Int32
	entry    *Entrypoint
	begin    time.Time
	deadline time.Time
	ended    atomic.Int64 // how long the delivery took that brought no answer itself; 0 while it runs
	cancel   context.CancelFunc
}

// answer is what the caller gets: data, or a failure.
type answer struct {
	data    mem.Buffer
	failure *spb.Status
}

// offer makes a the answer unless there has been one.
func (r *request) offer(a answer) bool {
	if r.answered.Swap(true) {
		if a.data != nil {
			a.data.Free()
		}
		return false
	}
	r.answer <- a
	return true
}

func (r *request) leave() {
	if r.parties.Add(-1) == 0 {
		r.cancel()
		r.entry.inFlight.Add(-1)
		r.table.release()
	}
}

// call sends in through a workflow and waits for its answer until ctx is done
// or the deadline has passed. It takes over the caller's reference to t and to
// the data, and returns the answer's bytes, which the caller must free, or the
// failure to tell.
func (e *Entrypoint) call(ctx context.Context, t *table, r *route, in inbound) (mem.Buffer, *spb.Status) {
	begin := time.Now()
	if e.inFlight.Add(1) > int64(e.options.MaxInFlight) {
		e.inFlight.Add(-1)
		in.data.Free()
		t.release()
		return nil, e.finish(r, begin, overloaded(t, r, e.options.MaxInFlight))
	}
	deadline := begin.Add(e.options.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	id, token := e.sealer.seal(deadline)
	req := &request{table: t, route: r, answer: make(chan answer, 1), entry: e, begin: begin, deadline: deadline}
	req.parties.Store(2)
	req.step.Store(-1)
	req.first = Parcel{Data: in.data, Event: &event.Event{
		ID:            id.String(),
		Source:        t.source,
		Type:          event.TypeMessage,
		Message:       string(r.input.FullName()),
		CorrelationID: id.String(),
		CausationID:   in.causationID,
		Workflow:      r.Name,
		Deadline:      deadline,
		ReplyToken:    token,
		TraceParent:   event.NextSpan(in.traceParent),
		TraceState:    in.traceState,
	}}
	var delivery context.Context
	delivery, req.cancel = context.WithDeadline(e.base, deadline)
	e.pending.add(id, req)
	go req.deliver(delivery)
	a := req.await(ctx, delivery)
	e.pending.remove(id)
	req.leave()
	return a.data, e.finish(r, begin, a.failure)
}

// deliver runs the delivery to its end, which may come after the answer.
func (r *request) deliver(ctx context.Context) {
	defer r.leave()
	last, err := r.route.delivery.Deliver(ctx, &r.first, &r.step)
	switch {
	case err != nil:
		r.offer(answer{failure: r.failure(ctx, err)})
	case last != nil:
		r.offer(r.read(last))
	default: // the answer has come, or will, at the reply port
		r.ended.Store(int64(time.Since(r.begin)))
	}
}

// await waits for the first of answer, deadline and the caller's own end. An
// answer that is there wins over an end at the same instant.
func (r *request) await(caller, delivery context.Context) answer {
	select {
	case a := <-r.answer:
		return a
	case <-caller.Done():
	case <-delivery.Done():
	}
	select {
	case a := <-r.answer:
		return a
	default:
	}
	r.cancel() // nobody waits any more: the node's call ends too
	if errors.Is(caller.Err(), context.Canceled) {
		return answer{failure: &spb.Status{Code: int32(code.Code_CANCELLED), Message: "the caller cancelled the request"}}
	}
	return answer{failure: r.late()}
}

// late is the failure of a request whose deadline has passed.
func (r *request) late() *spb.Status {
	f := event.Failure{
		Code:     code.Code_DEADLINE_EXCEEDED,
		Reason:   event.ReasonDeadline,
		Text:     fmt.Sprintf("workflow %q gave no answer in time", r.route.Name),
		Workflow: r.route.Name,
		Version:  r.table.version.Name,
	}
	by := "its Sequence"
	if i := int(r.step.Load()); i >= 0 && i < len(r.route.Steps) {
		f.Node = r.route.Steps[i].Node
		by = fmt.Sprintf("node %q", f.Node)
	}
	// Shortly before the deadline nodes give up by their own clocks, which is no loss.
	ended, early := time.Duration(r.ended.Load()), r.deadline.Sub(r.begin)*9/10
	switch {
	case ended > 0 && ended < early:
		f.Text += fmt.Sprintf(": %s took the event within %s, and no reply came", by, ended.Round(time.Millisecond))
		r.entry.log.Warn("no reply came", "workflow", f.Workflow, "node", f.Node, "correlation", r.first.Event.CorrelationID, "taken", ended)
	case f.Node != "":
		f.Text += ": " + by + " was at work"
	}
	return f.Status()
}

// failure is what the caller is told of an error of the delivery.
func (r *request) failure(ctx context.Context, err error) *spb.Status {
	var f *event.Failure
	switch {
	case ctx.Err() != nil:
		return r.late()
	case errors.As(err, &f):
		f.Workflow, f.Version = r.route.Name, r.table.version.Name
		r.entry.log.Warn("delivery failed", "workflow", f.Workflow, "node", f.Node, "correlation", r.first.Event.CorrelationID, "error", f.Text)
		return f.Status()
	default:
		return event.Failure{
			Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable, Text: err.Error(),
			Workflow: r.route.Name, Version: r.table.version.Name,
		}.Status()
	}
}

// finish counts the request's end and hands its failure on.
func (e *Entrypoint) finish(r *route, begin time.Time, failure *spb.Status) *spb.Status {
	r.counters.done(code.Code(failure.GetCode()), time.Since(begin))
	return failure
}

func overloaded(t *table, r *route, limit int) *spb.Status {
	return event.Failure{
		Code:     code.Code_RESOURCE_EXHAUSTED,
		Reason:   event.ReasonOverload,
		Text:     fmt.Sprintf("the version works on %d requests, its limit; try again later", limit),
		Workflow: r.Name, Version: t.version.Name,
	}.Status()
}
