package entrypoint

import (
	"context"
	"net/http"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Delivery carries a request's event through one workflow's nodes.
type Delivery interface {
	// Deliver carries r.first through the workflow, takes over its data, and
	// returns the answer for the caller: the last step's event, what came at the
	// reply port before, or a failure. It returns soon after ctx, the caller's,
	// or the request's deadline is done. What is left of the workflow then goes
	// on behind it, and leaves r when it has ended.
	Deliver(ctx context.Context, r *request) answer
}

// Parcel is an event and the buffer that holds its data; Event.Data is unused.
// Buffers are counted and pooled: a payload passes through a workflow without
// being allocated at each step.
type Parcel struct {
	Event *event.Event
	Data  mem.Buffer
}

func (p *Parcel) header() http.Header {
	h := make(http.Header, 14)
	p.Event.WriteHeader(h)
	return h
}
