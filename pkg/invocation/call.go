package invocation

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
)

// How an entrypoint is asked for more than a response, and the header and trailers with it. An
// older entrypoint sends the id only if the version keeps messages.
const (
	traceKey       = "krt-trace"
	stepsKey       = "krt-steps"
	inspectKey     = "krt-inspect"
	correlationKey = "krt-correlation-id"
)

// Wish is what is asked for besides the response: the steps, and that messages are kept.
type Wish struct{ Trace, Inspect bool }

// Result is what a call has brought besides its response, or its error.
type Result struct {
	// Took is how long the call took as seen from here.
	Took time.Duration
	// Messages is how many messages of a stream have come.
	Messages int
	// Steps are what the nodes' runners reported, first to last, and Reported says that the version
	// reports steps at all.
	Steps    []event.Step
	Reported bool
	// ID is the request's; "" if the version has not returned it.
	ID string
}

// Call sends request and reads response. The error is a gRPC status; what is known of the call is
// in the result then, too.
func (c *Connection) Call(ctx context.Context, m Method, w Wish, request, response proto.Message) (Result, error) {
	var header, trailer metadata.MD
	begin := time.Now()
	err := c.conn.Invoke(w.asked(ctx), m.Path(), request, response, grpc.Header(&header), grpc.Trailer(&trailer))
	return newResult(begin, header, trailer), err
}

// asked is ctx with the metadata that asks for what is wished.
func (w Wish) asked(ctx context.Context) context.Context {
	if w.Trace {
		ctx = metadata.AppendToOutgoingContext(ctx, traceKey, "1")
	}
	if w.Inspect {
		ctx = metadata.AppendToOutgoingContext(ctx, inspectKey, "1")
	}
	return ctx
}

// newResult is what is known of a call that began then and has ended.
func newResult(begin time.Time, header, trailer metadata.MD) Result {
	r := Result{Took: time.Since(begin)}
	r.Steps, r.Reported = readSteps(trailer)
	for _, md := range []metadata.MD{header, trailer} { // the header alone, if the call ended here
		if id := md.Get(correlationKey); len(id) > 0 {
			r.ID = id[0]
		}
	}
	return r
}

// readSteps leaves out what is not a step.
func readSteps(trailer metadata.MD) (steps []event.Step, reported bool) {
	values := trailer.Get(stepsKey)
	return event.Steps(strings.Join(values, ",")).AppendTo(nil), len(values) > 0
}
