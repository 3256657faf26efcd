package entrypoint

import (
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// answer is what is kept of a response when the client has it.
type answer struct {
	end     time.Time
	failure *spb.Status
	bytes   int
	steps   event.Steps
	early   record.Early
	at      time.Time
	seen    int // how many sends its record had
}

// rest is what came of a request after its response. Where the client waits for
// nothing any more, that is all that comes of the work in the background.
type rest struct {
	sync.Mutex
	end     time.Time // of the delivery
	failure *spb.Status
	steps   event.Steps
}

// fail notes that the work has failed.
func (x *rest) fail(failure *spb.Status) { x.add(response{failure: failure}, "") }

// add notes what came at the reply port, and frees its data.
func (x *rest) add(out response, steps event.Steps) {
	if out.data != nil {
		out.data.Free()
	}
	x.Lock()
	defer x.Unlock()
	if x.failure == nil {
		x.failure = out.failure
	}
	if len(steps) > len(x.steps) {
		x.steps = steps
	}
}

// continues reports whether there will be a record of the work behind the response, so
// that what comes too late for the client is still of use.
func (r *request) continues() bool { return r.Detached() }

// reported is what nodes have reported in an event that came at the reply port. With
// direct delivery what earlier nodes reported is known already, and the event can add
// its node's own entry only.
func (r *request) reported(ev *event.Event) event.Steps {
	if r.route.elsewhere() {
		return ev.Steps
	}
	known := r.Steps()
	if i := r.Step(); i >= 0 && i < len(r.route.nodes) {
		return known.Extend(ev.Steps, r.route.nodes[i])
	}
	return known
}

// arrived is out, which came in ev at the reply port.
func (r *request) arrived(out response, ev *event.Event) response {
	out.steps, out.at = r.reported(ev), time.Now()
	if ev.Type == event.TypeReply && out.failure == nil {
		out.early = record.EarlyReply
		if last, ok := out.steps.Last(); ok && last.Outcome == event.OutcomeExit {
			out.early = record.EarlyExit
		}
	}
	return out
}

// end notes the response that the client is about to get.
func (r *request) end(out response) {
	switch {
	case r.async:
	case r.Stream != nil:
		r.divided.ServedStream(code.Code(out.failure.GetCode()), r.Stream.Counts().First)
	default:
		r.divided.Served(code.Code(out.failure.GetCode()))
	}
	r.answer = answer{end: time.Now(), failure: out.failure, steps: out.steps, early: out.early, at: out.at}
	var message []byte
	if out.data != nil {
		message = out.data.ReadOnlyData()
		r.answer.bytes = len(message)
		if r.kept != nil {
			r.kept.Output(r.route.want, message)
		}
	}
	r.copied.Served(code.Code(out.failure.GetCode()), message)
}

// observe hands the record of the request to the observers, once the client has its
// response.
func (r *request) observe() {
	r.mirror()
	r.entry.observe(func(to *record.Record) {
		r.describe(to)
		to.End, to.ResponseBytes, to.Early = r.answer.end, r.answer.bytes, r.answer.early
		if r.Stream != nil {
			counts := r.Stream.Counts()
			to.Streamed, to.Messages, to.FirstMessage, to.ResponseBytes = true, counts.Messages, counts.First, int(counts.Bytes)
		}
		failure.Describe(to, r.answer.failure)
		if to.Continued = r.willContinue(); to.Continued {
			to.Sends = r.Sends(to.Sends, r.route.nodes, 0)
			r.answer.seen = len(to.Sends)
		} else {
			accepted := !r.answer.at.IsZero() // the response came at the reply port
			to.Sends = r.AllSends(to.Sends, r.route.nodes, to.End, accepted)
		}
		to.Steps = record.Read(to.Steps, r.answer.steps, r.route.nodes, r.begin, r.answer.end)
	})
	r.observed()
}

// delivered notes that the delivery has ended.
func (r *request) delivered() {
	r.rest.Lock()
	r.rest.end = time.Now()
	r.rest.Unlock()
	r.observed()
}

// willContinue reports, once the client has its response, whether there will be a record
// of the work behind it: it was an early reply, and the delivery had not ended before it
// came. One that had knows nothing of the rest.
func (r *request) willContinue() bool {
	r.rest.Lock()
	defer r.rest.Unlock()
	if r.route.queued {
		return r.answer.early == record.EarlyReply || r.async && r.answer.failure == nil
	}
	ended := !r.rest.end.IsZero() && r.rest.end.Before(r.answer.at)
	return r.answer.early == record.EarlyReply && !ended
}

// observed is called when the response has been observed and when the delivery has
// ended. If work went on behind an early reply, the last one hands its record to the
// observers.
func (r *request) observed() {
	if r.unobserved.Add(-1) != 0 {
		return
	}
	defer r.Forget()
	if !r.willContinue() || r.route.queued { // whoever carries it has its record
		return
	}
	r.entry.observe(func(to *record.Record) {
		r.rest.Lock()
		defer r.rest.Unlock()
		r.describe(to)
		to.Background, to.End, to.Early = true, r.rest.end, r.answer.early
		failure.Describe(to, r.rest.failure)
		to.Sends = r.Sends(to.Sends, r.route.nodes, r.answer.seen)
		steps := r.rest.steps
		if known := r.Steps(); len(known) > len(steps) {
			steps = known
		}
		to.Steps = record.Read(to.Steps, steps, r.route.nodes, r.begin, r.rest.end)
		to.Steps = record.After(to.Steps, r.answer.steps)
		seen := record.Read(nil, r.answer.steps, r.route.nodes, r.begin, r.rest.end)
		to.Unended = record.Unended(seen, to.Steps)
	})
}

// describe sets on to what does not change.
func (r *request) describe(to *record.Record) {
	first := r.First.Event
	r.ticket.describe(to)
	to.ID, to.Causation, to.Trace, to.Sampled = first.CorrelationID, first.CausationID, first.Trace, first.Trace.Sampled()
	to.Async, to.RequestBytes = r.async, r.requestBytes
	to.SpanID, to.ParentID = r.span, r.parent
}

// describe sets on to what the ticket knows.
func (k *ticket) describe(to *record.Record) {
	to.Version, to.Workflow, to.Method = k.table.version.Name, k.route.Name, k.route.path[1:]
	to.Protocol, to.Begin = k.protocol, k.begin
}

// refuse gives the place of a request back that could not be read.
func (k *ticket) refuse(refusal *spb.Status) {
	k.release()
	k.observeRefusal(refusal)
}

// observeRefusal hands the record of a request that was not admitted, or could not be
// read, to the observers. One whose workflow is not known yet has none.
func (k *ticket) observeRefusal(refusal *spb.Status) {
	if k.route == nil {
		return
	}
	k.entry.observe(func(to *record.Record) {
		k.describe(to)
		to.End = time.Now()
		failure.Describe(to, refusal)
	})
}

// observe hands the record that fill makes to all observers, our own first.
func (e *Entrypoint) observe(fill func(*record.Record)) {
	r, _ := e.records.Get().(*record.Record)
	if r == nil {
		r = &record.Record{}
	}
	*r = record.Record{Steps: r.Steps[:0], Sends: r.Sends[:0]}
	fill(r)
	e.metrics.Observe(r)
	e.capture.Observe(r)
	for _, o := range e.options.Observers {
		o.Observe(r)
	}
	e.records.Put(r)
}
