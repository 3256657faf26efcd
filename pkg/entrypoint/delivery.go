package entrypoint

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Delivery carries events through one workflow's nodes.
type Delivery interface {
	// Deliver carries first through the workflow, takes over its data, and
	// keeps step at the index of the step at work, where it knows. It returns
	// the event of the last step; nil when the chain ended without one, so that
	// the answer has come or will come at the reply port; or an error, which is
	// an *event.Failure where the caller should see its text as it is. It
	// returns soon after ctx is done.
	Deliver(ctx context.Context, first *Parcel, step *atomic.Int32) (last *Parcel, err error)
}

// Parcel is an event and the buffer that holds its data; Event.Data is unused.
// Buffers are counted and pooled: a payload passes through a workflow without
// being allocated at each step.
type Parcel struct {
	Event *event.Event
	Data  mem.Buffer
}
