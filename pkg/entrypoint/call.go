package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
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
// behind an early reply. The last one to finish gives the ticket back.
type request struct {
	ticket
	delivery.Request
	id       requestID
	answer   chan answer // one slot, for the first answer
	answered atomic.Bool
	async    bool // the caller has not waited for the answer from the first
	parties  atomic.Int32
	deadline time.Time    // the caller's
	ended    atomic.Int64 // how long the delivery took that brought no answer itself; 0 while it runs
	// work is the delivery's context. It ends at the caller's deadline, or, once
	// the caller has been answered, with the background timeout.
	work   context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// Why a delivery's context has ended.
var (
	errDeadline = errors.New("the deadline has passed")
	errGone     = errors.New("nobody waits any more")
	errStopping = errors.New("the version is stopping")
)

// answer is what the caller gets: data, or a failure.
type answer struct {
	data    mem.Buffer
	failure *spb.Status
}

// start makes a request of in, which ends at deadline, and uses the ticket up.
func (k ticket) start(in inbound, deadline time.Time, async bool) *request {
	e := k.entry
	id, token := e.sealer.seal(deadline)
	r := &request{ticket: k, id: id, answer: make(chan answer, 1), deadline: deadline, async: async}
	r.parties.Store(2)
	r.Begin(deadline, async)
	r.First = delivery.Parcel{Data: in.data, Event: &event.Event{
		ID:            id.String(),
		Source:        k.table.source,
		Type:          event.TypeMessage,
		Message:       string(k.route.input.FullName()),
		CorrelationID: id.String(),
		CausationID:   in.causationID,
		Workflow:      k.route.Name,
		Deadline:      deadline,
		Replied:       async,
		ReplyToken:    token,
		Trace:         event.NewTrace(in.traceParent, in.traceState),
	}}
	r.work, r.cancel = context.WithCancelCause(e.base)
	r.timer = time.AfterFunc(time.Until(deadline), func() { r.cancel(errDeadline) })
	e.pending.add(id, r)
	return r
}

// call sends in through the workflow and waits for its answer until ctx is done
// or the deadline has passed. It uses the ticket up, takes over the data, and
// returns the answer's bytes, which the caller must free, or the failure to tell.
func (k ticket) call(ctx context.Context, in inbound) (mem.Buffer, *spb.Status) {
	deadline := time.Now().Add(k.entry.options.Timeout) // receiving it took as long as it took
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	r := k.start(in, deadline, false)
	go r.deliver()
	a := r.await(ctx)
	return a.data, a.failure
}

// accept sends in through the workflow for a caller who does not wait for the
// answer. It returns once the event has been sent to the first step, or to the
// workflow's channel, and until then ends with ctx; or it returns the failure.
// The id is the request's in logs. It uses the ticket up and takes over the data.
func (k ticket) accept(ctx context.Context, in inbound) (id string, failure *spb.Status) {
	r := k.start(in, time.Now().Add(k.table.version.BackgroundTimeout), true)
	sent := make(chan struct{})
	r.First.Sent = sync.OnceFunc(func() { close(sent) })
	go r.deliver()
	caller, left := context.WithCancel(context.Background())
	failed := make(chan *spb.Status, 1)
	go func() {
		defer left()
		a := r.await(caller)
		if a.data != nil {
			a.data.Free()
		}
		if a.failure != nil {
			r.warn("an asynchronous request failed", "error", a.failure.GetMessage())
		}
		failed <- a.failure
	}()
	select {
	case <-sent:
	case failure = <-failed:
	case <-ctx.Done():
		left()
		failure = <-failed
	}
	return r.id.String(), failure
}

// deliver runs the delivery to its end, which may come after the answer.
func (r *request) deliver() {
	defer r.leave()
	last, err := r.route.delivery.Deliver(r.work, &r.Request)
	switch {
	case err != nil:
		failure := r.failure(err)
		if !r.offer(answer{failure: failure}) && r.Detached() && !r.async {
			r.warn("the work behind an answer failed", "error", failure.GetMessage())
		}
	case last != nil:
		r.offer(r.read(last))
	default: // the answer has come, or will, at the reply port
		r.ended.Store(int64(time.Since(r.begin)))
		if r.async && r.route.Address == "" {
			// A node answers its POST once it has replied: little can come any more.
			r.timer.Reset(r.entry.options.Timeout)
		}
	}
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

// reply is offer for an answer that came at the reply port, behind which the
// delivery may go on: nobody's own deadline ends that any more.
func (r *request) reply(a answer) bool {
	if !r.async && !r.answered.Load() && r.timer.Stop() {
		background := r.table.version.BackgroundTimeout
		r.Detach(time.Now().Add(background))
		r.timer.Reset(background)
	}
	r.Replied()
	return r.offer(a)
}

// await waits for the first of answer, deadline and the caller's own end, which
// end the delivery too, and counts what came of it.
func (r *request) await(caller context.Context) (a answer) {
	select {
	case a = <-r.answer:
	case <-caller.Done():
		a = r.giveUp(caller)
	case <-r.work.Done():
		a = r.giveUp(caller)
	}
	r.entry.pending.remove(r.id)
	r.finish(a.failure)
	r.leave()
	return a
}

// giveUp ends the delivery, for nobody waits any more. An answer that came at the
// same instant wins; no later one is taken, for nobody would free it.
func (r *request) giveUp(caller context.Context) answer {
	if r.answered.Swap(true) {
		return <-r.answer
	}
	r.cancel(errGone)
	if errors.Is(caller.Err(), context.Canceled) {
		return answer{failure: &spb.Status{Code: int32(code.Code_CANCELLED), Message: "the caller cancelled the request"}}
	}
	return answer{failure: r.late()}
}

func (r *request) leave() {
	if r.parties.Add(-1) == 0 {
		r.timer.Stop()
		r.cancel(nil)
		r.release()
	}
}

// warn logs what became of the request, with what it is known by: to us, and to
// the producer whose event it was.
func (r *request) warn(text string, attrs ...any) {
	known := []any{"workflow", r.route.Name, "correlation", r.id.String()}
	if causation := r.First.Event.CausationID; causation != "" {
		known = append(known, "causation", causation)
	}
	r.entry.log.Warn(text, append(known, attrs...)...)
}

// late is the failure of a request whose time is over: its deadline has passed,
// or the entrypoint stops.
func (r *request) late() *spb.Status {
	f := event.Failure{
		Code:     code.Code_DEADLINE_EXCEEDED,
		Reason:   event.ReasonDeadline,
		Text:     fmt.Sprintf("workflow %q gave no answer in time", r.route.Name),
		Workflow: r.route.Name,
		Version:  r.table.version.Name,
	}
	ended, early := time.Duration(r.ended.Load()), r.deadline.Sub(r.begin)*9/10
	switch {
	case r.entry.base.Err() != nil:
		f.Code, f.Reason = code.Code_UNAVAILABLE, event.ReasonStopping
		f.Text = fmt.Sprintf("workflow %q gave no answer before the version stopped", r.route.Name)
	case r.Detached() && ended == 0:
		f.Text = fmt.Sprintf("workflow %q has not ended within %s, the background timeout", r.route.Name, r.table.version.BackgroundTimeout)
	}
	by := "its Sequence"
	if i := r.Step(); i >= 0 && i < len(r.route.Steps) {
		f.Node = r.route.Steps[i].Node
		by = fmt.Sprintf("node %q", f.Node)
	}
	switch { // shortly before the deadline nodes give up by their own clocks, which is no loss
	case ended > 0 && ended < early:
		f.Text += fmt.Sprintf(": %s took the event within %s, and no reply came", by, ended.Round(time.Millisecond))
		r.warn("no reply came", "node", f.Node, "taken", ended)
	case f.Node != "":
		f.Text += ": " + by + " " + r.Doing()
	}
	return f.Status()
}

// failure is what the caller is told of an error of the delivery.
func (r *request) failure(err error) *spb.Status {
	var f *event.Failure
	switch {
	case r.work.Err() != nil:
		return r.late()
	case errors.As(err, &f):
		f.Workflow, f.Version = r.route.Name, r.table.version.Name
		r.warn("delivery failed", "node", f.Node, "error", f.Text)
		return f.Status()
	default:
		return event.Failure{
			Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable, Text: err.Error(),
			Workflow: r.route.Name, Version: r.table.version.Name,
		}.Status()
	}
}
