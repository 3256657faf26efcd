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

// ticket is a request's place among those in flight, with a reference to its
// table: what [Entrypoint.admit] grants before anything of the request is read.
// It is used up by call, or given back by release.
type ticket struct {
	entry *Entrypoint
	table *table
	// route may be set after admission, where only the request's body names it,
	// and must be set before call.
	route *route
	begin time.Time
}

// admit grants a request its place, or says why there is none. It takes over
// the caller's reference to t. r is nil while it is not known.
func (e *Entrypoint) admit(t *table, r *route) (ticket, *spb.Status) {
	k := ticket{entry: e, table: t, route: r, begin: time.Now()}
	if e.inFlight.Add(1) > int64(e.options.MaxInFlight) {
		k.release()
		return ticket{}, k.finish(overloaded(t, r, e.options.MaxInFlight))
	}
	return k, nil
}

// release gives the place back.
func (k *ticket) release() {
	k.entry.inFlight.Add(-1)
	k.table.release()
}

// finish counts the request's end and hands its failure on.
func (k *ticket) finish(failure *spb.Status) *spb.Status {
	if k.route != nil {
		k.route.counters.done(code.Code(failure.GetCode()), time.Since(k.begin))
	}
	return failure
}

// request is one call on its way. Two parties work on it: the caller's
// goroutine, which waits for the answer, and the delivery's, which may go on
// behind an early reply. The last one to finish gives the ticket back.
type request struct {
	ticket
	first    Parcel
	answer   chan answer // one slot, for the first answer
	answered atomic.Bool
	step     atomic.Int32
	parties  atomic.Int32
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
		r.release()
	}
}

// call sends in through the workflow and waits for its answer until ctx is done
// or the deadline has passed. It uses the ticket up, takes over the data, and
// returns the answer's bytes, which the caller must free, or the failure to tell.
func (k ticket) call(ctx context.Context, in inbound) (mem.Buffer, *spb.Status) {
	e := k.entry
	deadline := time.Now().Add(e.options.Timeout) // receiving it took as long as it took
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	id, token := e.sealer.seal(deadline)
	req := &request{ticket: k, answer: make(chan answer, 1), deadline: deadline}
	req.parties.Store(2)
	req.step.Store(-1)
	req.first = Parcel{Data: in.data, Event: &event.Event{
		ID:            id.String(),
		Source:        k.table.source,
		Type:          event.TypeMessage,
		Message:       string(k.route.input.FullName()),
		CorrelationID: id.String(),
		CausationID:   in.causationID,
		Workflow:      k.route.Name,
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
	return a.data, k.finish(a.failure)
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
	if r.answered.Swap(true) { // no later answer is taken: nobody would free it
		return <-r.answer
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

func overloaded(t *table, r *route, limit int) *spb.Status {
	f := event.Failure{
		Code:    code.Code_RESOURCE_EXHAUSTED,
		Reason:  event.ReasonOverload,
		Text:    fmt.Sprintf("the version works on %d requests, its limit; try again later", limit),
		Version: t.version.Name,
	}
	if r != nil {
		f.Workflow = r.Name
	}
	return f.Status()
}
