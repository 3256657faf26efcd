package durable

import (
	"context"
	"time"

	"krt.dev/kn-krt/pkg/queue/client"
)

// verdict is what becomes of an event in the queue: it is done, or given again after a pause. With stays, the mark
// of its request stays if there is one: the queue has the event of the next step, or nobody needs the mark.
type verdict struct {
	stays bool
	again bool
	after time.Duration
}

var done, passed = verdict{}, verdict{stays: true}

// later is the verdict on an event that its node has not accepted.
func (w *work) later() verdict {
	longest := maxClientWait
	if w.isDetached() {
		longest = maxWait
	}
	delivered := min(w.message.Load().Delivered, 16)
	return verdict{again: true, after: min(w.options.Retry.Delay<<(delivered-1), longest)}
}

// drop is the verdict on an event whose client does not wait any more, or has learned that the work failed. Another
// replica, which had the event or the one before it too, may have given the client an early reply
// since the work began here: then it goes on, as it does until that can be looked up. A mark that is made
// later promises nothing: the client is gone.
func (w *work) drop() verdict {
	mark, err := w.client.Marked(w.working, w.name.Workflow, w.event.CorrelationID)
	if mark != nil || err != nil {
		return verdict{again: true, after: fullPause}
	}
	return passed
}

// settle ends the event in the queue as v says, and the work. The work of an event that is given back ends before: the
// server may deliver that at once, and work that has ended would neither begin with it nor give it back.
func (w *work) settle(v verdict) {
	if !v.again {
		w.acknowledge(v.stays)
	}
	w.close()
	if v.again {
		_ = w.message.Load().Nak(v.after) // or it is delivered again after a while
	}
}

// acknowledge tells the server that the event is done. Where the connection is lost it is told again over
// the next one. A server that does not respond over one that stays may have been told: told again and again,
// one that is slow would become slower. So the event is known as done, should it be delivered again.
func (w *work) acknowledge(stays bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), ackTime)
	defer cancel()
	for {
		changed := w.client.Changed()
		err := w.confirm(ctx, stays)
		if err == nil {
			return
		}
		again := client.Lost(err) || gone(changed) || !w.client.Connected()
		if !again || ctx.Err() != nil || w.working.Err() != nil {
			w.finished.add(w.message.Load(), !stays)
			w.log.Warn("the queue has not confirmed that an event is done; it may be delivered again",
				"workflow", w.name.Workflow, "node", w.name.Node, "correlation", w.event.CorrelationID, "error", err)
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-w.working.Done():
		}
	}
}

// confirm tells the server once that the event is done, and its mark of no use unless it stays.
func (w *work) confirm(ctx context.Context, stays bool) error {
	if !stays {
		if err := w.dropMark(ctx); err != nil {
			return err
		}
	}
	return w.message.Load().Ack(ctx)
}

// gone reports whether a channel is closed.
func gone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
