package durable

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// headerUntil of a mark is until when the work may go on, Unix time in ns.
const headerUntil = "Krt-Until"

// markTime is how much longer than its work a mark is kept, where nobody removes it.
const markTime = 3 * 24 * time.Hour

// mark is what the queue keeps of a request whose client has its response, from before it has that until the
// work has ended: its event says that a client waits, and so may the one for a later step, from a replica that had
// the event too and knew nothing of the response. Such an event is not dropped without a look at the mark.
type mark struct {
	sync.Mutex        // held while the queue is told of it
	kept       bool   // or it may be
	over       bool   // the work has ended; guarded by the work's own lock, as stop is
	stop       func() // ends the tries to have it kept; nil: there is none
}

// keepMark has the queue keep that the work goes on without its client, and tries until the client's
// deadline or the end of the work: before that is done, the client does not get the response.
func (w *work) keepMark(ctx context.Context) error {
	w.mark.Lock()
	defer w.mark.Unlock()
	trying, stop := context.WithCancel(ctx)
	defer stop()
	header := make(http.Header, 4)
	w.mu.Lock()
	over := w.mark.over
	w.mark.stop = stop
	header[headerUntil] = []string{strconv.FormatInt(w.deadline.UnixNano(), 10)}
	if w.seen != "" {
		header[headerSeen] = []string{string(w.seen)}
	}
	w.mu.Unlock()
	if over || w.event.Replied {
		return nil
	}
	w.mark.kept = true
	err := w.persist(trying, func(context.Context) error { // one that has begun is waited for: it may be kept
		return w.client.Mark(ctx, w.name.Workflow, w.event.CorrelationID, header, w.options.Background+markTime)
	}, nil)
	if trying.Err() != nil && ctx.Err() == nil { // nothing goes on
		return nil
	}
	return err
}

// dropMark has the queue forget the mark when all work has ended, before the last event is done: what is left
// of a request without a mark is one whose client waits. A queue that is full may not keep a mark before the event is done.
func (w *work) dropMark(ctx context.Context) error {
	w.mu.Lock()
	w.mark.over = true
	if w.mark.stop != nil {
		w.mark.stop()
	}
	w.mu.Unlock()
	w.mark.Lock()
	defer w.mark.Unlock()
	if !w.mark.kept {
		return nil
	}
	err := w.client.Unmark(ctx, w.name.Workflow, w.event.CorrelationID)
	w.mark.kept = err != nil
	return err
}

// mayBeMarked is what is assumed of the mark of an event that was read: an earlier step has one whose client has its
// response, and one that was delivered before may have.
func (w *work) mayBeMarked() bool {
	return !w.note.async && (w.event.Replied || w.message.Load().Delivered > 1)
}

// recall sets what is known of an event that another replica, or one before this one, has begun with.
// The error is that it cannot be asked for now.
func (w *work) recall(ctx context.Context) error {
	header, err := w.client.Marked(ctx, w.name.Workflow, w.event.CorrelationID)
	if err != nil || header == nil {
		return err
	}
	w.mark.kept, w.detached, w.seen = true, true, event.Steps(header.Get(headerSeen))
	w.deadline = w.message.Load().Published.Add(w.options.Background)
	if until, err := strconv.ParseInt(header.Get(headerUntil), 10, 64); err == nil {
		w.deadline = time.Unix(0, until)
	}
	return nil
}
