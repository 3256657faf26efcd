// Package delivery carries events through the nodes of a workflow. A [Delivery]
// is made by [Sender.Direct], which calls each node itself, or by
// [Sender.Sequence], which hands the event to a Knative Sequence.
package delivery

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Delivery carries events through one workflow's nodes.
type Delivery interface {
	// Deliver carries r's first event through the workflow, takes over its data, and
	// notes in r how far it is. It returns the event of the last step; nil when the
	// chain ended without one, so that the response has come or will come at the
	// reply port; or an error, which is an *event.Failure where the client should
	// see its text as it is. It returns soon after ctx is done.
	Deliver(ctx context.Context, r *Request) (last *Parcel, err error)
}

// Parcel is an event and the buffer that holds its data; Event.Data is unused.
// Buffers are counted and pooled: a payload passes through a workflow without
// being allocated at each step.
type Parcel struct {
	Event *event.Event
	Data  mem.Buffer
	// Sent is called each time all of it has been sent. It may be nil.
	Sent func()
}

// Request is a request on its way through a workflow: its first event, and what
// the delivery and those who wait for it know of each other meanwhile.
type Request struct {
	// First is the event that the workflow begins with.
	First Parcel
	// Pool keeps the room for what is known of attempts from request to request.
	Pool *sync.Pool
	// Passed is called with what each step responds with, before it is passed on; its data
	// may be used during the call. It may be nil. Direct delivery alone calls it.
	Passed func(step int, p *Parcel)
	// Accepted is called once the delivery has the event, at most once: from then on, whoever
	// sent it need not send it again. What that is worth depends on the delivery. It may be nil.
	Accepted func()
	// Stream gets the messages of the response; nil: the rpc is unary.
	Stream *stream.Stream
	// EarlyReply is called when the response to the last step is a stream that ends while the
	// step's handler goes on, with that end. It may be nil where Stream is. Direct delivery
	// alone calls it.
	EarlyReply func(event.End)
	// From is the index of the step that the workflow begins with. It is not 0 for an event that
	// was given up on there, and is sent again. Direct delivery alone knows it.
	From int
	// Bury has an event that is given up on kept as [Request.Dead], if no client waits.
	Bury bool
	// Traced says that each attempt has a span of its own.
	Traced bool
	// Begun is when the request was admitted, and Protocol how its client called.
	Begun    time.Time
	Protocol record.Protocol

	step     atomic.Int32
	deadline atomic.Int64 // Unix time in ns
	detached atomic.Bool
	busy     atomic.Pointer[string] // why the step has not accepted the event: its node is busy; nil: it may have
	onReply  atomic.Pointer[func()]
	notes    notes
	accepted atomic.Bool
	dead     *Parcel
	streamed bool // the stream has ended well: the last step's response was its messages
}

// Dead returns, once the delivery has failed, the event that it has given up on, as the failing step
// has got it; nil if it is not kept. Its data, nil if there was no room for it, must be freed. It is called
// once at most.
func (r *Request) Dead() *Parcel { return r.dead }

// bury keeps the event that is given up on.
func (r *Request) bury(e *event.Event, payload *memory.Payload) {
	if r.Bury && r.Detached() {
		r.dead = &Parcel{Event: e, Data: payload.Take()}
	}
}

// Streamed reports, once the delivery has ended, whether the last step's response were messages of
// the stream, which have ended well.
func (r *Request) Streamed() bool { return r.streamed }

// Begin sets until when the work may go on, and whether a client waits for it.
func (r *Request) Begin(deadline time.Time, detached bool) {
	r.step.Store(-1)
	r.deadline.Store(deadline.UnixNano())
	r.detached.Store(detached)
}

// Detach notes that the client has its response, and until when the rest of the
// work may go on.
func (r *Request) Detach(deadline time.Time) {
	r.deadline.Store(deadline.UnixNano())
	r.detached.Store(true)
}

// Accept notes that the delivery has the event: whoever sent it need not send it again.
func (r *Request) Accept() {
	if !r.accepted.Swap(true) && r.Accepted != nil {
		r.Accepted()
	}
}

// IsAccepted reports whether the delivery has the event.
func (r *Request) IsAccepted() bool { return r.accepted.Load() }

// Detached reports whether no client waits any more.
func (r *Request) Detached() bool { return r.detached.Load() }

// Deadline is when the work must have ended.
func (r *Request) Deadline() time.Time { return time.Unix(0, r.deadline.Load()) }

// clocks is how much sooner a node may see the deadline than this process.
const clocks = 100 * time.Millisecond

// Over reports whether work, the context of the request's, has ended. Nodes keep its deadline by clocks of
// their own, and break off what they send: shortly before it, it is waited for.
func (r *Request) Over(work context.Context) bool {
	if left := time.Until(r.Deadline()); left < clocks {
		timer := time.NewTimer(max(left, 0) + clocks)
		defer timer.Stop()
		select {
		case <-work.Done():
		case <-timer.C:
		}
	}
	return work.Err() != nil
}

// Replied notes that a response has come at the reply port.
func (r *Request) Replied() {
	if f := r.onReply.Load(); f != nil {
		(*f)()
	}
}

// Step is the index of the step that is at work, negative where nobody knows.
func (r *Request) Step() int { return int(r.step.Load()) }

// Passing notes that a step is at work where the delivery does not know it.
func (r *Request) Passing(step int) { r.step.Store(int32(step)) }

// Doing is what the step that is at work is doing, to follow its node's name.
func (r *Request) Doing() string {
	if why := r.busy.Load(); why != nil {
		return "did not accept the event: " + *why
	}
	return "was processing the event"
}

// begin notes which step, by its index, is at work from now on, and what is to be
// done when a response comes at the reply port.
func (r *Request) begin(step int, onReply func()) {
	r.step.Store(int32(step))
	r.onReply.Store(&onReply)
}

// stamp writes on e what holds now. It is done each time e is sent.
func (r *Request) stamp(e *event.Event) { e.Replied, e.Deadline = r.Detached(), r.Deadline() }
