package entrypoint

import (
	"context"
	"errors"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/raw"
)

// serveStream serves a call of a streaming rpc over gRPC. Its client has the request's id at once,
// as a header.
func serveStream(ctx context.Context, call grpc.ServerStream, k ticket, in received) error {
	in.begun = func(id string) { _ = call.SendHeader(metadata.Pairs(headerCorrelation, id)) }
	to := sinkOf(call)
	defer to.done()
	req, response := k.stream(ctx, in, to)
	defer req.observe()
	call.SetTrailer(metadata.Pairs(headerCorrelation, req.First.Event.CorrelationID))
	if raw.WantsSteps(ctx) {
		call.SetTrailer(metadata.Pairs(raw.StepsTrailer, string(req.allSteps())))
	}
	return status.FromProto(response.failure).Err()
}

// sinkOf gives the messages to the client of a call. SendMsg waits until it reads, or the call ends.
func sinkOf(call grpc.ServerStream) sink {
	ctx := call.Context()
	counted, aborted := memory.ConnectionOf(ctx).Call(), atomic.Bool{}
	return sink{
		send: func(data mem.Buffer) error { return sendMessage(call, counted.Sending(data)) },
		abort: func() {
			aborted.Store(true)
			raw.End(ctx, status.New(codes.DeadlineExceeded, "the client did not read the messages in time"))
		},
		done: func() {
			if !aborted.Load() && errors.Is(ctx.Err(), context.Canceled) {
				counted.Left()
			}
		},
	}
}
