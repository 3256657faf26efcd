package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Queue keeps events until the nodes are done with them, and has them carried from step to
// step by whichever replica is there. Package durable has one.
type Queue interface {
	// Delivery returns the delivery of a workflow.
	Delivery(s *Sender, workflow string, steps []Step) (Delivery, error)
	// Start has events carried from now on.
	Start(Home) error
	// Carried returns the event of a request that a node has been sent from here; nil: there is none.
	Carried(id seal.ID, node string) Carried
	// Stop begins no event any more, and returns when what has begun is done. When ctx is done,
	// the rest is given back, so that another replica begins with it.
	Stop(ctx context.Context)
}

// Carried is an event that a node of this replica's is at work with.
type Carried interface {
	// Reply takes over what the node has sent to the reply port. It reports whether it is of
	// use: one of an earlier try may have been.
	Reply(ctx context.Context, p *Parcel) (used bool)
}

// Home is the entrypoint of a [Queue], as far as events that are carried need it.
type Home interface {
	// Buffers hold the data of events.
	Buffers() *memory.Pool
	// Sealer opens and makes reply tokens.
	Sealer() *seal.Sealer
	// At notes that the step with this index is at work for the client of a request with a token.
	// If that waits here, its context is returned, which ends when it does not wait any more. If it
	// was to wait here and does not, it is gone.
	At(id seal.ID, token string, step int) (client context.Context, gone bool)
	// Respond gives the client, which may wait at another replica, its response: p's event has
	// the token of the request. The data stays the caller's. An error means that it may be tried
	// again; there is none if no client waits any more.
	Respond(ctx context.Context, p *Parcel) error
	// Output is the full name of the message that a workflow responds with.
	Output(workflow string) string
	// Ended hands the record of work that nobody waited for to the observers: fill sets what is
	// not of the workflow or the failure.
	Ended(workflow string, failure *spb.Status, fill func(*record.Record))
	// Attempted counts an attempt to send an event to a node.
	Attempted(workflow, node string, result record.Result)
	// DeadLetter counts an event that was given up on.
	DeadLetter(workflow, node string)
	// Read returns the message that p, the last event of a workflow, brings as the response of its
	// rpc, or the failure that it brings or is. It takes over p's data.
	Read(workflow string, p *Parcel) (data mem.Buffer, failure *spb.Status)
}

// queued is the delivery by a queue: it ends once the queue has the event, and the response
// comes at the reply port, or from what carries events in this process.
type queued struct {
	*exchange
	publish func(context.Context, *Request) error
	name    string
}

// Queued returns the delivery by a queue with a name. The errors of publish are those of package
// queue, or mean that nobody knows whether the event is stored.
func (s *Sender) Queued(name string, publish func(context.Context, *Request) error) Delivery {
	return &queued{exchange: s.exchange, publish: publish, name: name}
}

// Deliver implements [Delivery]. The queue is tried until patience ends, or a quarter of the
// request's time is left, so that the client learns the cause.
func (q *queued) Deliver(ctx context.Context, r *Request) (*Parcel, error) {
	defer r.First.Data.Free()
	last := time.Now().Add(min(q.retry.Patience, time.Until(r.Deadline())*3/4))
	r.begin(-1, func() {})
	r.reserve(1)
	for attempt, delay := 1, q.retry.Delay; ; attempt, delay = attempt+1, min(2*delay, maxPause) {
		r.stamp(r.First.Event)
		s := r.sending(attempt)
		err := q.publish(ctx, r)
		left := time.Until(last)
		again := err != nil && !refusedByQueue(err) && left > 0 && ctx.Err() == nil
		r.sent(&s, err, again)
		switch {
		case err == nil:
			r.Accept()
			return nil, nil
		case !again || !q.pause(ctx, min(delay, left)):
			return nil, QueueFailure(q.name, err)
		}
	}
}

// refusedByQueue reports whether err is final.
func refusedByQueue(err error) bool {
	return errors.Is(err, queue.ErrFull) || errors.Is(err, queue.ErrTooLarge)
}

// QueueFailure is the failure of a request whose event is not in the queue because of err.
func QueueFailure(name string, err error) *event.Failure {
	f := &event.Failure{Code: code.Code_RESOURCE_EXHAUSTED}
	text := clip.Text(err.Error(), maxFailure)
	switch {
	case errors.Is(err, queue.ErrFull):
		f.Reason, f.Text = event.ReasonOverload, fmt.Sprintf("the queue %s accepts no more events: %s; try again later", name, text)
	case errors.Is(err, queue.ErrTooLarge):
		f.Reason, f.Text = event.ReasonTooLarge, fmt.Sprintf("the queue %s does not accept the event: %s", name, text)
	default:
		f.Code, f.Reason = code.Code_UNAVAILABLE, event.ReasonUnavailable
		f.Text = fmt.Sprintf("the queue %s cannot be reached: %s", name, text)
	}
	return f
}

// Node calls one node as direct delivery does, one attempt at a time.
type Node struct {
	*exchange
	step *directStep
}

// Node returns what calls the node of a step.
func (s *Sender) Node(step Step) (*Node, error) {
	to, err := s.step(step)
	return &Node{exchange: s.exchange, step: to}, err
}

// Call posts p once, whose data stays the caller's, and returns the event of the response, nil
// if that is a success without one, and what the node has reported in a response without one.
func (n *Node) Call(ctx context.Context, p *Parcel) (response *Parcel, reported event.Steps, err error) {
	s := send{}
	response, err = n.call(ctx, n.step, p, &s)
	return response, s.steps, err
}

// Retried counts a retry.
func (n *Node) Retried() { n.retried() }

// ErrSilent is the cause of the end of a [Node.Call]'s context if whoever should have ended the call has not: its machine,
// or that of what is in between, is lost.
var ErrSilent = errors.New("no response")

// Again is what an error of [Node.Call] means for the event.
type Again int

// The meanings.
const (
	// Never: the response is final.
	Never Again = iota
	// Counted: it is tried again as often as a step is.
	Counted
	// Later: the node has not accepted the event, so that trying again does not count.
	Later
)

// Judge returns what err means.
func Judge(err error) Again {
	switch {
	case httpclient.DialFailed(err), busy(err), errors.Is(err, memory.ErrFull):
		return Later
	case retryable(err):
		return Counted
	}
	return Never
}

// Bytes returns a parcel of data that is not counted, such as that of a failure.
func Bytes(e *event.Event) *Parcel { return &Parcel{Event: e, Data: mem.SliceBuffer(e.Data)} }
