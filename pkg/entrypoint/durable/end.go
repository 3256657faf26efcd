package durable

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/runner/event"
)

// status is f as a client gets it.
func (w *work) status(f *event.Failure) *spb.Status {
	f.Workflow, f.Version = w.name.Workflow, w.options.Version
	return f.Status()
}

// passOn has the queue keep what the node has responded with for the step that follows.
func (w *work) passOn(out *delivery.Parcel) verdict {
	defer out.Data.Free()
	if kept, _ := w.keepReply(); !kept {
		return verdict{again: true, after: maxWait}
	}
	e := w.follow(out.Event)
	header := make(http.Header, 24)
	e.WriteHeader(header)
	n := w.note
	w.mu.Lock()
	n.seen = w.seen
	w.mu.Unlock()
	n.write(header)
	err := w.store(client.Message{
		Step: w.next(), ID: queue.ID(e.CorrelationID, w.name.Index+1, n.replays), Header: header, Data: out.Data.ReadOnlyData(),
	})
	switch {
	case err == nil:
		return passed
	case w.working.Err() != nil:
		return verdict{again: true}
	case errors.Is(context.Cause(w.ctx), errDeadline):
		return w.late()
	}
	return w.failed(w.status(delivery.QueueFailure(w.client.URL(), err)), e.Steps)
}

// follow sets on e, which a node has responded with, what ties it to its request: that is not the
// node's to say.
func (w *work) follow(e *event.Event) *event.Event {
	before := w.event
	e.CorrelationID, e.Workflow, e.ReplyToken = before.CorrelationID, before.Workflow, before.ReplyToken
	e.Trace, e.Inspect, e.Mirror, e.Stream, e.Keep = before.Trace, before.Inspect, before.Mirror, before.Stream, before.Keep
	e.Steps = before.Steps.Extend(e.Steps, w.name.Node)
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Replied && !w.detached { // it has said so to the replica that holds a stream
		w.detach(before.Steps)
	}
	e.Replied, e.Deadline = w.detached, w.deadline
	return e
}

// store publishes m until the queue has it. A queue that is full, or away, is tried until the
// work's deadline: nothing is lost meanwhile, and nothing is done again.
func (w *work) store(m client.Message) error {
	copied := m.Bytes() // by the client of NATS, until it is sent
	w.home.Buffers().Keep(copied)
	defer w.home.Buffers().Let(copied)
	return w.persist(w.ctx, func(ctx context.Context) error { return w.publish(ctx, m, m.Step.Index) }, func(err error) bool {
		return errors.Is(err, queue.ErrTooLarge) || errors.Is(err, queue.ErrFull) && w.impatient()
	})
}

// persist tries until it has succeeded, ctx is done, or an error is final.
func (w *work) persist(ctx context.Context, try func(context.Context) error, final func(error) bool) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		changed := w.client.Changed()
		err := try(ctx)
		if err == nil || ctx.Err() != nil || final != nil && final(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// finish ends the request with what the node has responded with.
func (w *work) finish(out *delivery.Parcel) verdict {
	out.Event = w.follow(out.Event)
	steps := out.Event.Steps
	w.mu.Lock()
	detached, answered := w.detached, w.answered
	w.mu.Unlock()
	switch {
	case !detached:
		failed := answered || out.Event.Type == event.TypeError
		if answered {
			out.Data.Free()
		} else {
			w.respond(w.ctx, out)
		}
		switch {
		case w.working.Err() != nil:
			return verdict{again: true}
		case failed:
			return w.drop()
		}
		return done
	case out.Event.Type == event.TypeError:
		_, failure := w.home.Read(w.name.Workflow, out)
		return w.failed(failure, steps)
	}
	return w.succeed(out, steps)
}

// ended ends the request of a node that has responded without an event: what it had to say it has
// sent to the reply port before.
func (w *work) ended(steps event.Steps) verdict {
	w.mu.Lock()
	failure, replied, owed, detached := w.failure, w.result != nil, w.owed(), w.detached
	expired := !time.Now().Before(w.deadline)
	w.mu.Unlock()
	last, _ := steps.Last()
	switch {
	case !detached:
		return w.drop()
	case failure != nil:
		return w.failed(failure, steps)
	case replied:
		return w.succeed(nil, steps)
	case expired:
		return w.late()
	case owed && w.note.origin == "" || last.Outcome == event.OutcomeError: // one that is replayed may have had its early reply
		return w.failed(w.status(&event.Failure{
			Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Node: w.name.Node,
			Text: fmt.Sprintf("node %q accepted the event, and no reply came", w.name.Node),
		}), steps)
	}
	return w.succeed(nil, steps)
}

// late ends an event whose time is over. A client that waits has learned that already.
func (w *work) late() verdict {
	if !w.isDetached() {
		return w.drop()
	}
	return w.failed(w.status(&event.Failure{
		Code: code.Code_DEADLINE_EXCEEDED, Reason: event.ReasonDeadline, Node: w.name.Node,
		Text: fmt.Sprintf("workflow %q has not ended within %s, the background timeout: node %q had the event",
			w.name.Workflow, w.options.Background, w.name.Node),
	}), w.event.Steps)
}

// failed ends a request that has failed: its client learns it or, if none waits, it is kept.
func (w *work) failed(status *spb.Status, steps event.Steps) verdict {
	if !w.isDetached() {
		e := w.event.Next(event.Source(w.options.Namespace, w.options.Version, "entrypoint"), event.TypeError, "google.rpc.Status", nil)
		e.Data, e.Steps = statusBytes(status), steps
		w.respond(w.ctx, delivery.Bytes(e))
		if w.working.Err() != nil {
			return verdict{again: true}
		}
		return w.drop()
	}
	w.log.Warn("gave up on an event", "workflow", w.name.Workflow, "node", w.name.Node,
		"correlation", w.event.CorrelationID, "error", status.GetMessage())
	dead := w.letter(letter.Dead, status)
	dead.ID, dead.Message, dead.Data = letter.DeadID(w.event.CorrelationID, w.name.Index), w.event.Message, w.data.ReadOnlyData()
	kept, _ := w.keepReply()
	kept = kept && w.keep(dead)
	if kept && w.note.async && !w.note.answered && w.options.Results > 0 {
		kept = w.keep(w.letter(letter.Result, status))
	}
	if !kept {
		return verdict{again: true, after: maxWait}
	}
	if !w.event.Mirror {
		w.home.DeadLetter(w.name.Workflow, w.name.Node)
	}
	if w.note.origin != "" && w.note.origin != dead.ID {
		w.forget()
	}
	w.observe(status, steps)
	return done
}

// succeed ends work that nobody waits for. The result, nil if there is none, is kept if the request
// was asynchronous and has none yet.
func (w *work) succeed(out *delivery.Parcel, steps event.Steps) verdict {
	kept, failure := w.keepReply()
	switch {
	case out == nil:
	case w.note.async && !w.note.answered:
		kept, failure = w.keepResult(out)
	default:
		out.Data.Free()
	}
	switch {
	case failure != nil:
		return w.failed(failure, steps)
	case !kept:
		return verdict{again: true, after: maxWait}
	}
	if w.note.origin != "" {
		w.forget()
	}
	w.observe(nil, steps)
	return done
}

// keepReply keeps the early reply to an asynchronous request as its result, if the node has sent one: nothing
// that comes after it is. A step that is done again keeps it again. A reply that is not a response is a failure, and
// kept as such. It reports false if it cannot be kept now.
func (w *work) keepReply() (kept bool, failure *spb.Status) {
	w.mu.Lock()
	reply := w.result
	w.result, w.note.answered = nil, w.note.answered || reply != nil
	w.mu.Unlock()
	if reply == nil {
		return true, nil
	}
	if kept, failure = w.keepResult(reply); failure != nil {
		kept = w.options.Results == 0 || w.keep(w.letter(letter.Result, failure))
	}
	return kept, failure
}

// keepResult keeps a response as the result, or says why it is not one.
func (w *work) keepResult(out *delivery.Parcel) (kept bool, failure *spb.Status) {
	source, message := out.Event.Source, out.Event.Message
	data, failure := w.home.Read(w.name.Workflow, out)
	if failure != nil {
		return false, failure
	}
	defer data.Free()
	result := w.letter(letter.Result, nil)
	result.Message, result.Data = message, data.ReadOnlyData()
	if wanted := w.home.Output(w.name.Workflow); wanted != "" {
		result.Message = wanted
	}
	result.Event["source"] = source
	return w.options.Results == 0 || w.keep(result), nil
}

// observe hands the record of work that nobody waited for to the observers. That of the request
// has said that it was accepted, or has its early reply.
func (w *work) observe(status *spb.Status, steps event.Steps) {
	w.mu.Lock()
	seen := w.seen
	w.mu.Unlock()
	w.home.Ended(w.name.Workflow, status, func(to *record.Record) {
		to.ID, to.Causation, to.Trace, to.Sampled = w.event.CorrelationID, w.note.cause, w.event.Trace, w.event.Trace.Sampled()
		to.Protocol, to.Begin, to.End, to.Async, to.Background = w.note.protocol, w.note.begin, time.Now(), w.note.async, true
		if to.Begin.IsZero() {
			to.Begin = w.message.Load().Published
		}
		to.Steps = record.After(record.Read(to.Steps, steps, w.nodes, to.Begin, to.End), seen)
		to.Unended = record.Unended(record.Read(nil, seen, w.nodes, to.Begin, to.End), to.Steps)
	})
}
