package durable

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// fullPause is how long an event waits for which this replica has no room.
	fullPause = time.Second
	// maxWait and maxClientWait bound the pause before a node that does not accept an event is
	// sent it again: for work that nobody waits for, and while a client waits.
	maxWait, maxClientWait = 15 * time.Second, time.Second
	// ackTime is how long a server that does not respond is told that an event is done. Then the
	// event is delivered again.
	ackTime = 30 * time.Second
)

// Why the work with an event has ended.
var (
	errDeadline = errors.New("the deadline has passed")
	errGone     = errors.New("the client does not wait any more")
)

// errUnknown says that the queue cannot be asked now what is known of an event.
var errUnknown = errors.New("it is not known whether its client has its response")

// carriage is a request's event for one of its nodes.
type carriage struct {
	id   seal.ID
	node string
}

// work is one event at work.
type work struct {
	*step
	message atomic.Pointer[client.Received] // as it was delivered last
	id      seal.ID
	event   *event.Event // as it is in the queue
	note    note
	data    mem.Buffer // as it was received
	held    int64      // bytes that are counted for it
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer // ends it at the deadline
	beat    *time.Timer // tells the server that it goes on
	mark    mark

	mu       sync.Mutex
	closed   bool // it has ended
	deadline time.Time
	detached bool // no client waits
	answered bool // the node has sent the client's response
	seen     event.Steps
	failure  *spb.Status      // that the node has sent
	result   *delivery.Parcel // that the node has sent, of an asynchronous request, until it is kept
}

// begin does what is to be done with an event of the step, and ends it in the queue.
func (s *step) begin(r *client.Received) {
	w, err := s.open(r)
	switch {
	case w == nil && err == nil: // it is at work already
		return
	case errors.Is(err, memory.ErrFull), errors.Is(err, errUnknown):
		_ = r.Nak(fullPause)
		return
	case w == nil:
		s.log.Error("dropped what is not an event of the version", "workflow", s.name.Workflow, "node", s.name.Node,
			"sequence", r.Sequence, "error", err)
		_ = r.Ack(s.working)
		return
	}
	w.settle(w.run())
}

// open makes work of an event; nil without an error if it is at work here already, so that it is
// acknowledged by its latest delivery.
func (s *step) open(r *client.Received) (*work, error) {
	s.mu.Lock()
	known := s.known(r)
	s.mu.Unlock()
	if known {
		return nil, nil
	}
	w, err := s.read(r)
	if err != nil {
		return nil, err
	}
	if w.wasFinished(r) {
		return nil, nil
	}
	if !w.detached && (r.Delivered > 1 || w.useless()) {
		if err := w.recall(s.working); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnknown, err)
		}
	}
	if !s.home.Buffers().Hold(w.held) {
		return nil, memory.ErrFull
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.finished.has(r); known || s.known(r) { // it was delivered again meanwhile
		s.home.Buffers().Let(w.held)
		return nil, nil
	}
	w.ctx, w.cancel = context.WithCancelCause(event.ContextWithTrace(s.working, w.event.Trace))
	limit := time.Until(w.deadline)
	if !w.event.Stream.Unary() { // its replies do not come here; the node knows whether the deadline holds
		limit = max(limit, s.options.Background)
	}
	w.timer = time.AfterFunc(limit, func() { w.cancel(errDeadline) })
	w.beat = time.AfterFunc(queue.AckWait/3, w.goesOn)
	s.sequence[placeOf(r)], s.carried[w.carriage()] = w, w
	return w, nil
}

// wasFinished reports whether an event is done, and the server does not know that: then it is told.
func (w *work) wasFinished(r *client.Received) bool {
	ended, known := w.finished.has(r)
	if ended {
		_ = w.dropMark(w.working) // or it goes by itself
	}
	if known {
		_ = r.Done()
	}
	return known
}

// read makes work of an event, without its data.
func (s *step) read(r *client.Received) (*work, error) {
	w := &work{step: s, note: readNote(r.Header), data: mem.SliceBuffer(r.Data), held: r.Bytes + memory.RequestBytes}
	w.message.Store(r)
	var err error
	if w.event, err = event.ReadHeader(r.Header); err != nil {
		return nil, fmt.Errorf("it is malformed: %w", err)
	}
	id, ok := seal.ParseID(w.event.CorrelationID)
	if !ok {
		return nil, errors.New("it is malformed: it has no correlation id")
	}
	w.id, w.mark.kept = id, w.mayBeMarked()
	w.detached, w.deadline, w.seen = w.event.Replied, w.event.Deadline, w.note.seen
	if w.deadline.IsZero() {
		w.deadline = r.Published.Add(s.options.Background)
	}
	return w, nil
}

// useless reports whether the event would be dropped: a client was to wait for it, and does not any more. A
// server that was killed may not know how often it has delivered an event.
func (w *work) useless() bool {
	_, gone := w.home.At(w.id, w.event.ReplyToken, w.name.Index)
	return gone || !time.Now().Before(w.deadline)
}

// known reports whether an event is at work here, so that it is acknowledged by its latest delivery;
// c.mu is held.
func (c *Carrier) known(r *client.Received) bool {
	if w := c.sequence[placeOf(r)]; w != nil {
		w.message.Store(r)
		return true
	}
	return false
}

// carriage says which of the request's events it is: the one of the step before may still be ending
// here when the next one's node sends its response.
func (w *work) carriage() carriage { return carriage{w.id, w.name.Node} }

// goesOn tells the server that the event is at work. It never does so again once the work is
// closed: nobody would get an event that was given back.
func (w *work) goesOn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		_ = w.message.Load().InProgress()
		w.beat.Reset(queue.AckWait / 3)
	}
}

// close ends the work. From then on a delivery of its event begins another one, and nothing more is said of it by itself.
func (w *work) close() {
	w.Carrier.mu.Lock()
	delete(w.sequence, placeOf(w.message.Load()))
	if w.carried[w.carriage()] == w {
		delete(w.carried, w.carriage())
	}
	w.Carrier.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.beat.Stop()
	w.timer.Stop()
	w.cancel(nil)
	if w.result != nil {
		w.result.Data.Free()
	}
	w.home.Buffers().Let(w.held)
}

// run has the node work, and returns once all that follows is stored or delivered.
func (w *work) run() verdict {
	if !time.Now().Before(w.until()) {
		return w.late()
	}
	if !w.isDetached() {
		client, gone := w.home.At(w.id, w.event.ReplyToken, w.name.Index)
		if gone {
			return w.drop()
		}
		if client != nil {
			defer context.AfterFunc(client, func() { w.left(context.Cause(client)) })()
		}
	}
	out, reported, err := w.try()
	if v, over := w.over(); over {
		free(out)
		return v
	}
	switch {
	case errors.Is(err, errLater):
		return w.later()
	case err != nil:
		return w.failed(w.status(delivery.NodeFailure(w.name.Node, err)), w.event.Steps)
	case out == nil:
		return w.ended(w.event.Steps.Extend(reported, w.name.Node))
	case out.Event.Type == event.TypeMessage && !w.last():
		return w.passOn(out)
	}
	return w.finish(out)
}

// over returns what becomes of an event whose work was ended from outside, and whether it was.
func (w *work) over() (v verdict, over bool) {
	cause := context.Cause(w.ctx)
	switch {
	case cause == nil:
		return done, false
	case errors.Is(cause, errGone):
		return w.drop(), true
	case errors.Is(cause, errDeadline):
		return w.late(), true
	}
	return verdict{again: true}, true // the replica is stopping
}

// left ends the work of a client that does not wait any more because of cause, unless it has its
// response and the work goes on.
func (w *work) left(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.detached && !w.answered && !errors.Is(cause, context.Canceled) {
		w.cancel(errGone)
	}
}

func free(p *delivery.Parcel) {
	if p != nil {
		p.Data.Free()
	}
}
