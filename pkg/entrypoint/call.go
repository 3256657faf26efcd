package entrypoint

import (
	"context"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/spare"
)

// received is a request as one of the ports received it.
type received struct {
	data        mem.Buffer
	causationID string           // the id of the client's own event, if it sent one
	inspect     bool             // the client asks for inspection
	begun       func(id string)  // called with the request's id before anything is waited for; may be nil
	sink        stream.Sink      // of a streaming rpc
	divided     *traffic.Request // nil: it is not divided
	replayed    *mail.Replayed   // nil: it is not a replay
}

// call sends in through the workflow and waits for the response until ctx is done or the deadline has passed.
// It uses the ticket up, takes over the data, and returns the request, to be observed when the client has the
// response, and the response, whose data must be freed.
func (k ticket) call(ctx context.Context, in received) (*request, response) {
	r := k.run(ctx, in)
	return r, r.await(ctx)
}

// run begins a request whose client waits for the response.
func (k ticket) run(ctx context.Context, in received) *request {
	deadline := time.Now().Add(k.limit()) // receiving it took as long as it took
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	r := k.start(ctx, in, deadline, false)
	if in.begun != nil {
		in.begun(r.First.Event.CorrelationID)
	}
	spare.Go(r.deliver)
	return r
}

// accept sends in through the workflow for a client that does not wait for the response. It returns once the
// delivery has the event, and until then ends with ctx; or it returns the failure. The id is the request's in
// logs. It uses the ticket up and takes over the data.
func (k ticket) accept(ctx context.Context, in received) (id string, failure *spb.Status) {
	r := k.start(ctx, in, time.Now().Add(k.table.version.BackgroundTimeout), true)
	accepted := make(chan struct{})
	r.Accepted = func() { close(accepted) }
	spare.Go(r.deliver)
	client, left := context.WithCancelCause(context.Background())
	failed := make(chan *spb.Status, 1)
	go func() {
		defer left(nil)
		failed <- r.attend(client)
	}()
	select {
	case <-accepted:
	case failure = <-failed:
		if r.IsAccepted() { // it has failed since, which is kept
			failure = nil
		}
	case <-ctx.Done():
		left(context.Cause(ctx))
		failure = <-failed
	}
	return r.id.String(), failure
}

// attend waits for the response to a request for which no client does, and returns its failure.
func (r *request) attend(client context.Context) *spb.Status {
	out := r.await(client)
	if out.data != nil {
		out.data.Free()
	}
	if out.failure != nil {
		r.warn("an asynchronous request failed", "error", out.failure.GetMessage())
	}
	r.observe()
	return out.failure
}

// start makes a request of in, which ends at deadline, and uses the ticket up. Here alone a reference to the
// table is taken for longer than a port's handler runs: a delivery may go on after the response. It is given
// back by leave. Of ctx, the client's, the delivery keeps the trace context alone: the rest of it holds gRPC's
// stream and connection, which must be freed when the client is gone.
func (k ticket) start(ctx context.Context, in received, deadline time.Time, async bool) *request {
	e := k.entry
	id, token := e.sealer.Seal(deadline)
	if in.replayed != nil {
		id, token = in.replayed.ID, e.sealer.SealFor(in.replayed.ID, deadline)
	}
	r := &request{ticket: k, id: id, responses: make(chan response, 1), deadline: deadline, async: async, divided: in.divided}
	r.replayed = in.replayed
	correlation := id.String()
	trace := r.trace(event.ContextTrace(ctx))
	r.Pool, r.requestBytes = &e.sends, in.data.Len()
	if r.Stream = r.newStream(in.sink); r.Stream == nil && (!async || !k.route.queued) { // there is one response to compare with
		r.copied = in.divided.Copy(ctx, in.data.ReadOnlyData())
	}
	r.Begun, r.Protocol = k.begin, k.protocol
	r.unobserved.Store(2)
	r.parties.Store(2)
	r.table.refs.Add(1) // there is one more: the handler's
	r.Begin(deadline, async)
	k.route.chain.Begin(k.begin)
	r.First = delivery.Parcel{Data: in.data, Event: &event.Event{
		ID:            correlation,
		Source:        k.table.source,
		Type:          event.TypeMessage,
		Message:       string(k.route.input.FullName()),
		CorrelationID: correlation,
		CausationID:   in.causationID,
		Workflow:      k.route.Name,
		Deadline:      deadline,
		Replied:       async,
		ReplyToken:    token,
		Trace:         trace,
		Mirror:        traffic.Mirrored(ctx),
	}}
	r.keep()
	if r.Stream != nil {
		r.EarlyReply = r.repliedEarly
		r.First.Event.Stream = event.Stream{Last: k.route.nodes[len(k.route.nodes)-1], Message: k.route.want}
	}
	r.inspect(in.inspect)
	r.work, r.cancel = context.WithCancelCause(event.ContextWithTrace(e.base, trace))
	r.timer = time.AfterFunc(time.Until(deadline), func() { r.cancel(errDeadline) })
	r.stopCold = e.options.Cold.Before(deadline, r.endCold)
	e.pending.Add(id, r)
	return r
}

// trace begins the request's span, if its trace is to be recorded, and returns the trace context that nodes
// get.
func (r *request) trace(client event.Trace) event.Trace {
	tracer := r.entry.options.Tracer
	if tracer == nil {
		return client
	}
	trace, span := tracer.Start(client)
	if r.span = span; span != ([8]byte{}) {
		r.parent, r.Traced = client.Span(), true
	}
	return trace
}
