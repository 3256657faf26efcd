package durable

import (
	"context"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Reply implements [delivery.Carried]. A response that came from the node is given to the client also
// if the node ends meanwhile: no other one is.
func (w *work) Reply(_ context.Context, p *delivery.Parcel) (used bool) {
	failed := p.Event.Type == event.TypeError
	w.mu.Lock()
	detached, answered := w.detached, w.answered
	switch {
	case w.closed: // while p was read: nobody would free it
		w.mu.Unlock()
		p.Data.Free()
		return false
	case failed && detached:
		_, w.failure = w.home.Read(w.name.Workflow, p)
		w.mu.Unlock()
		return true
	case detached && w.owed() && w.failure == nil:
		w.result = p
		w.mu.Unlock()
		return true
	case detached || answered:
		w.mu.Unlock()
		p.Data.Free()
		return false
	}
	w.answered = true
	if !failed { // the work goes on, and the client's deadline does not end it any more
		w.detach(w.event.Steps.Extend(p.Event.Steps, w.name.Node))
		p.Event.Steps = w.seen
	}
	w.mu.Unlock()
	if failed {
		w.respond(w.working, p)
		return true
	}
	ctx, cancel := context.WithDeadline(w.working, w.event.Deadline)
	defer cancel()
	if err := w.keepMark(ctx); err != nil { // the client's time is over, or the replica ends
		p.Data.Free()
		w.log.Warn("an early reply could not be given: the queue has not accepted that the work goes on", "workflow", w.name.Workflow,
			"node", w.name.Node, "correlation", w.event.CorrelationID, "error", err)
		return true
	}
	w.respond(ctx, p)
	return true
}

// respond gives the client that waits its response, and tries for as long as it waits.
func (w *work) respond(ctx context.Context, p *delivery.Parcel) {
	defer p.Data.Free()
	own := *p.Event
	own.ReplyToken, own.CorrelationID, own.Workflow = w.event.ReplyToken, w.event.CorrelationID, w.event.Workflow
	ctx, cancel := context.WithDeadline(ctx, w.event.Deadline)
	defer cancel()
	for delay := w.options.Retry.Delay; ; delay = min(2*delay, maxClientWait) {
		err := w.home.Respond(ctx, &delivery.Parcel{Event: &own, Data: p.Data})
		if err == nil {
			return
		}
		if !sleep(ctx, delay) {
			w.log.Warn("a response could not be given to the replica that holds the request",
				"workflow", w.name.Workflow, "correlation", w.event.CorrelationID, "error", err)
			return
		}
	}
}

// detach has the work go on without its client, who has seen these steps; w.mu is held.
func (w *work) detach(seen event.Steps) {
	w.detached, w.deadline, w.seen = true, time.Now().Add(w.options.Background), seen
	w.timer.Reset(w.options.Background)
}

// owed reports whether an asynchronous request has no result yet: the first one counts; w.mu is held.
func (w *work) owed() bool { return w.note.async && !w.note.answered && w.result == nil }

// until is when the work must have ended.
func (w *work) until() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deadline
}

func (w *work) isDetached() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.detached
}
