package entrypoint

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/runner/event"
)

// request is one call on its way. Two goroutines work on it: the client's, which waits for the response, and
// the delivery's, which may go on after an early reply. The last one to finish gives back the ticket and the
// reference to the table.
type request struct {
	ticket
	delivery.Request
	id        seal.ID
	responses chan response // one slot, for the first response
	responded atomic.Bool
	async     bool // the client does not wait for the response from the first
	parties   atomic.Int32
	deadline  time.Time    // the client's
	ended     atomic.Int64 // how long the delivery took that brought no response itself; 0 while it runs
	// work is the delivery's context, with the trace context of the client's. It ends
	// at the client's deadline or, once the client has its response, with the background
	// timeout.
	work     context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	stopCold func() // stops the look at cold nodes shortly before the deadline

	span, parent [8]byte // the request's own span, and the client's; zero if it has none
	requestBytes int
	answer       answer       // of the client's goroutine, which then observes it
	gone         atomic.Bool  // the client has its response, or none will come
	unobserved   atomic.Int32 // the response, and the end of the delivery
	rest         rest
	kept         *capture.Request // nil: it is not inspected
	divided      *traffic.Request // nil: it is not divided
	copied       *traffic.Copy    // nil: it is not copied
	replayed     *mail.Replayed   // nil: it is not a replay
	goesOn       bool             // a channel has it, and another replica gets what comes of it
	buried       atomic.Bool      // there is a dead letter of it
}

// Why a delivery's context has ended.
var (
	errDeadline = errors.New("the deadline has passed")
	errGone     = errors.New("no client waits any more")
	errStopping = errors.New("the version is stopping")
)

// response is what the client gets: data, or a failure.
type response struct {
	data    mem.Buffer
	failure *spb.Status
	// steps is what nodes have reported. early and at are of a response that came at
	// the reply port: how it is early, and when it came.
	steps event.Steps
	early record.Early
	at    time.Time
}

// deliver runs the delivery to its end, which may come after the response.
func (r *request) deliver() {
	defer r.leave()
	last, err := r.route.delivery.Deliver(r.work, &r.Request)
	defer r.delivered()
	switch {
	case err != nil:
		failed := r.failure(err)
		r.bury(failed, r.Dead())
		if !r.offer(response{failure: failed, steps: r.Steps()}) {
			r.rest.fail(failed)
			r.replayed.Stay()
			if r.Detached() && !r.async {
				r.warn(failure.Behind(r.route.queued, r.route.Address != "", r.Bury), "error", failed.GetMessage())
			}
		}
	case last != nil:
		out := r.read(last)
		out.steps = r.Steps()
		if !r.offer(out) && out.failure != nil {
			r.rest.fail(out.failure)
			r.bury(out.failure, nil)
			r.replayed.Stay()
		}
	case r.Streamed(): // all of the response has gone to the client's stream
		r.offer(response{steps: r.Steps()})
	default:
		r.awaitReply()
	}
}

// awaitReply notes that the delivery has ended without a response, so that it has come, or will, at the reply
// port.
func (r *request) awaitReply() {
	switch {
	case r.async && (r.route.queued || r.replayed.Ended(r.Steps())): // what comes of it is kept, not waited for, or nothing does
		r.offer(response{})
	case r.route.queued: // it is on its way, here or at another replica
	default:
		r.ended.Store(int64(time.Since(r.begin)))
		if r.async && r.route.Address == "" {
			// A node responds to its POST once it has replied: little can come any more.
			r.timer.Reset(r.entry.options.Timeout)
		}
	}
}

// offer makes out the response unless there has been one.
func (r *request) offer(out response) bool {
	if r.responded.Swap(true) {
		if out.data != nil {
			out.data.Free()
		}
		return false
	}
	if r.Stream == nil {
		r.responses <- out
		return true
	}
	last := out.data // it is a message of the stream, and out how that ends
	out.data = nil
	r.responses <- out
	r.Stream.End(last)
	return true
}

// reply is offer for a response that came at the reply port. The delivery may go on after it, and the client's
// deadline does not end that any more.
func (r *request) reply(out response) bool {
	if !r.async && !r.responded.Load() && r.timer.Stop() {
		background := r.table.version.BackgroundTimeout
		r.Detach(time.Now().Add(background))
		r.timer.Reset(background)
	}
	r.Replied()
	return r.offer(out)
}

// await waits for the first of response, deadline and the end of the client's context, which end the delivery
// too, and counts the result.
func (r *request) await(client context.Context) (out response) {
	select {
	case out = <-r.responses:
	case <-client.Done():
		out = r.giveUp(client)
	case <-r.work.Done():
		out = r.giveUp(client)
	}
	r.gone.Store(true)
	r.end(out)
	r.keepResult(out)
	r.leave()
	return out
}

// giveUp ends the delivery, because nobody waits any more. A response that came at the same instant wins; no
// later one is accepted, because nobody would free it.
func (r *request) giveUp(client context.Context) response {
	if r.responded.Swap(true) {
		return <-r.responses
	}
	late := r.work.Err() != nil || failure.OutOfTime(client, r.begin)
	r.goesOn = r.async && r.IsAccepted() && r.route.answered() && r.entry.base.Err() != nil
	r.cancel(errGone)
	if late {
		return response{failure: r.late(), steps: r.Steps()}
	}
	return response{failure: &spb.Status{Code: int32(code.Code_CANCELLED), Message: "the client cancelled the request"}, steps: r.Steps()}
}

// working reports whether an event is at a node, as far as deliveries know: Sequences do not.
func (e *Entrypoint) working(node string) bool {
	return e.pending.Any(func(r *request) bool {
		step := r.Step()
		return step >= 0 && step < len(r.route.nodes) && r.route.nodes[step] == node
	})
}

// leave ends the part of one of the request's two goroutines.
func (r *request) leave() {
	if r.parties.Add(-1) == 0 {
		r.entry.pending.Remove(r.id)
		r.timer.Stop()
		r.stopCold()
		r.cancel(nil)
		r.release()
		r.replayed.Settle()
		r.table.release()
	}
}

// warn logs how the request ended, with its workflow and its ids: our own, that of the producer's event, and
// those of its trace and span.
func (r *request) warn(text string, attrs ...any) {
	known := []any{"workflow", r.route.Name, "correlation", r.id.String()}
	first := r.First.Event
	if first.CausationID != "" {
		known = append(known, "causation", first.CausationID)
	}
	if first.Trace.Parent != "" { // the names that OpenTelemetry gives them in logs
		known = append(known, "trace_id", first.Trace.ID(), "span_id", first.Trace.SpanID())
	}
	r.entry.log.Warn(text, append(known, attrs...)...)
}

// atWork is the name of the node that is at work; empty: nobody knows.
func (r *request) atWork() string {
	if i := r.Step(); i >= 0 && i < len(r.route.nodes) {
		return r.route.nodes[i]
	}
	return ""
}

// late is the failure of a request whose time is over: its deadline has passed, or the entrypoint stops.
func (r *request) late() *spb.Status {
	if cold := r.cold(r.atWork()); cold != nil {
		return cold
	}
	ended, early := time.Duration(r.ended.Load()), r.deadline.Sub(r.begin)*9/10
	l := failure.Late{
		Of: r.owner(), Stopping: r.entry.base.Err() != nil, Background: r.Detached() && (ended == 0 || r.route.answered()),
		BackgroundTimeout: r.table.version.BackgroundTimeout, Node: r.atWork(), Doing: r.Doing(),
	}
	if ended > 0 && ended < early && !r.route.answered() { // shortly before the deadline nodes give up by their own clocks
		l.Accepted = ended
		r.warn("no reply came", "node", l.Node, "after", ended)
	}
	return l.Status()
}

// cold is the failure of a request whose client waits for a node without a pod: the one that is at work, or any
// if that is not known. It is nil if there is none.
func (r *request) cold(node string) *spb.Status {
	if r.Detached() || r.entry.base.Err() != nil {
		return nil
	}
	return r.owner().Cold(r.entry.options.Cold, node, r.route.nodes)
}

// endCold ends a request that waits for a cold node, so early that its client learns that.
func (r *request) endCold() {
	if r.cold(r.atWork()) != nil {
		r.cancel(errDeadline)
	}
}

// failure is the client's failure for an error of the delivery.
func (r *request) failure(err error) *spb.Status {
	var f *event.Failure
	switch {
	case r.work.Err() != nil:
		return r.late()
	case errors.As(err, &f):
		if cold := r.cold(f.Node); cold != nil && f.Reason == event.ReasonUnavailable {
			return cold
		}
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
