package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// direct is the delivery that calls each step itself, in order: n exchanges for
// n steps and nothing else.
type direct struct {
	*exchange
	steps []directStep
}

type directStep struct {
	node    string
	address *url.URL
}

func newDirect(x *exchange, steps []Step) (*direct, error) {
	d := &direct{exchange: x}
	for _, s := range steps {
		address, err := url.Parse(s.URL)
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", s.Node, err)
		}
		if address.Host == "" {
			return nil, fmt.Errorf("node %q: its URL %q has no host", s.Node, s.URL)
		}
		if address.Path == "" {
			address.Path = "/"
		}
		d.steps = append(d.steps, directStep{s.Node, address})
	}
	return d, nil
}

// Deliver implements [Delivery]. It runs on the caller's own goroutine as long as
// the caller waits for it: if the answer comes at the reply port first, another
// goroutine takes the work over where it stands.
func (d *direct) Deliver(caller context.Context, r *request) answer {
	ctx, cancel := context.WithDeadline(caller, r.deadline)
	defer cancel()
	w := &walk{direct: d, request: r, parcel: r.first, guard: &r.guard}
	w.guard.watch(ctx)
	last, err := w.run(ctx)
	w.guard.stop()
	if errors.Is(err, errRelieved) {
		go w.rest()
		return <-r.answer // is there: it relieved
	}
	r.conclude(ctx, last, err)
	r.leave()
	return r.await(caller, ctx, cancel)
}

// walk is the way of one request through the steps.
type walk struct {
	*direct
	request *request
	parcel  Parcel // for the step at hand
	at      int
	attempt int
	guard   *guard
	under   *incoming // the exchange under way, if any
}

// errRelieved is the end of a walk whose caller has its answer: it is to go on
// elsewhere.
var errRelieved = errors.New("the caller has the answer")

// rest walks on behind the answer, until the deadline at most.
func (w *walk) rest() {
	defer w.request.leave()
	ctx, cancel := context.WithDeadline(w.request.entry.base, w.request.deadline)
	defer cancel()
	w.guard = &guard{}
	w.guard.watch(ctx)
	defer w.guard.stop()
	w.under.pass(w.guard)
	last, err := w.run(ctx)
	w.request.conclude(ctx, last, err)
}

// run walks to the end of the workflow and returns its last event, nil when a
// node ended it without one.
func (w *walk) run(ctx context.Context) (*Parcel, error) {
	first := w.request.first.Event
	for w.at < len(w.steps) {
		w.request.step.Store(int32(w.at))
		next, err := w.visit(ctx)
		if errors.Is(err, errRelieved) {
			return nil, err
		}
		if err != nil && w.again(ctx, err) {
			continue
		}
		w.parcel.Data.Free()
		if err != nil {
			return nil, nodeFailure(w.steps[w.at].node, err)
		}
		if next == nil || next.Event.Type != event.TypeMessage {
			return next, nil
		}
		// What ties an event to its request is ours to say, not the node's.
		next.Event.CorrelationID = first.CorrelationID
		next.Event.Workflow = first.Workflow
		next.Event.Deadline = first.Deadline
		next.Event.ReplyToken = first.ReplyToken
		w.parcel, w.attempt = *next, 0
		w.at++
	}
	return &w.parcel, nil
}

// visit has the node at hand make the next event of the parcel.
func (w *walk) visit(ctx context.Context) (*Parcel, error) {
	if w.under == nil {
		x, err := w.client.begin(ctx, w.guard, w.steps[w.at].address, w.parcel.header(), w.parcel.Data.ReadOnlyData())
		if err != nil {
			return nil, err
		}
		w.under = x
	}
	if !w.under.wait() {
		return nil, errRelieved
	}
	x := w.under
	w.under = nil
	res, err := x.answer(ctx)
	if err != nil {
		return nil, err
	}
	return w.read(res)
}

// again reports whether the step at hand is to be tried again after err, and
// waits until it is time.
func (w *walk) again(ctx context.Context, err error) bool {
	if w.attempt >= w.retry.Count || ctx.Err() != nil || !retryable(err) {
		return false
	}
	pause := time.NewTimer(w.retry.Delay << w.attempt)
	defer pause.Stop()
	select {
	case <-pause.C:
		w.attempt++
		w.retries()
		return true
	case <-ctx.Done():
		return false
	}
}

// nodeFailure says that a node could not be made to answer.
func nodeFailure(node string, err error) *event.Failure {
	f := &event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable, Node: node}
	switch {
	case errors.Is(err, event.ErrTooLarge):
		f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge
		f.Text = fmt.Sprintf("node %q: its answer is too large: %v", node, err)
	case errors.As(err, new(*answerError)), errors.As(err, new(*malformedError)):
		f.Text = fmt.Sprintf("node %q %v", node, err)
	default:
		f.Text = fmt.Sprintf("node %q cannot be reached: %v", node, err)
	}
	return f
}
