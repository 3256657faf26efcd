package durable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// errLater says that the node has not accepted the event.
var errLater = errors.New("the node does not accept the event now")

// graceTime is how much longer than the node's own time a response is waited for.
const graceTime = 5 * time.Second

// try calls the node until a response is final or the retries are used up. While it is tried
// again nobody else gets the event.
func (w *work) try() (out *delivery.Parcel, reported event.Steps, err error) {
	for retries, delay := 0, w.options.Retry.Delay; ; retries, delay = retries+1, 2*delay {
		out, reported, err = w.attempt()
		switch again := w.judge(err); {
		case err == nil:
			w.attempted(w.name, record.ResultOK)
			return out, reported, nil
		case w.ctx.Err() != nil, again == delivery.Never, again == delivery.Counted && retries >= w.options.Retry.Count:
			w.attempted(w.name, record.ResultGaveUp)
			return nil, "", err
		case again == delivery.Later && w.impatient():
			w.attempted(w.name, record.ResultGaveUp)
			if time.Until(w.until()) <= delivery.Soon { // it has waited in the node: what has passed is the deadline
				<-w.ctx.Done()
			}
			return nil, "", err
		case again == delivery.Later:
			w.attempted(w.name, record.ResultRetried)
			return nil, "", errLater
		}
		w.attempted(w.name, record.ResultRetried)
		w.node.Retried()
		if !sleep(w.ctx, delay) {
			return nil, "", err
		}
	}
}

// judge says what err of an attempt means. While the node has no pod that could respond, whoever gave up has waited for
// one, and no handler has run.
func (w *work) judge(err error) delivery.Again {
	again := delivery.Judge(err)
	if again == delivery.Counted {
		if _, cold := w.options.Cold.Find(w.name.Node); cold {
			return delivery.Later
		}
	}
	return again
}

// attempt calls the node once, for as long as one call of it may take.
func (w *work) attempt() (out *delivery.Parcel, reported event.Steps, err error) {
	ctx, cancel := w.ctx, context.CancelFunc(func() {})
	limit := time.Duration(w.workflow.Steps[w.name.Index].TimeoutSeconds) * time.Second
	if limit > 0 {
		ctx, cancel = context.WithTimeoutCause(w.ctx, limit+graceTime, delivery.ErrSilent)
	}
	defer cancel()
	out, reported, err = w.node.Call(ctx, &delivery.Parcel{Event: w.outgoing(), Data: w.data})
	if err != nil && errors.Is(context.Cause(ctx), delivery.ErrSilent) {
		err = fmt.Errorf("%w within the %s that a call of it may take", delivery.ErrSilent, limit)
	}
	return out, reported, err
}

// impatient reports whether a client waits that has a quarter of its time left, so that it learns
// the cause, and not only that it took too long.
func (w *work) impatient() bool {
	if w.isDetached() || w.note.begin.IsZero() {
		return false
	}
	return time.Since(w.note.begin) > w.event.Deadline.Sub(w.note.begin)*3/4
}

// outgoing is the event as the node gets it. What the node sends to the reply port comes to this
// replica, whoever receives it; the messages of a stream go to the client's.
func (w *work) outgoing() *event.Event {
	e := *w.event
	w.mu.Lock()
	e.Replied, e.Deadline = w.detached, w.deadline
	w.mu.Unlock()
	if e.Stream.Unary() {
		e.ReplyToken = w.home.Sealer().SealFor(w.id, laterOf(e.Deadline, time.Now().Add(w.options.Background)))
	}
	return &e
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
