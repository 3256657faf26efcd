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
	"krt.dev/kn-krt/pkg/entrypoint/stream"
)

// serveStream serves a call of a streaming rpc over gRPC. Its client has the request's id as a header:
// with the first message, or soon where there is none, or at once if it is to follow the request.
func serveStream(ctx context.Context, call grpc.ServerStream, k ticket, in received) error {
	in.begun = func(id string) {
		_ = call.SetHeader(metadata.Pairs(headerCorrelation, id))
		if in.inspect {
			_ = call.SendHeader(nil)
		}
	}
	to, done := sinkOf(call)
	defer done()
	in.sink = to
	req, response := k.stream(ctx, in)
	defer req.observe()
	if in.inspect || req.kept != nil || response.failure != nil { // as of a unary rpc; the header has it in any case
		call.SetTrailer(metadata.Pairs(headerCorrelation, req.First.Event.CorrelationID))
	}
	if raw.WantsSteps(ctx) {
		call.SetTrailer(metadata.Pairs(raw.StepsTrailer, string(req.allSteps())))
	}
	return status.FromProto(response.failure).Err()
}

// sinkOf gives the messages to the client of a call. SendMsg waits until it reads, or the call ends. What
// it returns is called once there are no more messages.
func sinkOf(call grpc.ServerStream) (to stream.Sink, done func()) {
	ctx := call.Context()
	counted, aborted, frame := memory.ConnectionOf(ctx).Call(), atomic.Bool{}, raw.Frame{}
	return stream.Sink{
			Send: func(data mem.Buffer, freed func(int64)) error {
				if frame.Data = counted.Sending(data, freed); frame.Data == nil {
					return errNotConnected
				}
				return call.SendMsg(&frame)
			},
			Abort: func() {
				aborted.Store(true)
				raw.End(ctx, status.New(codes.DeadlineExceeded, "the client did not read the messages in time"))
			},
			Begin: func() { _ = call.SendHeader(nil) },
		}, func() {
			if !aborted.Load() && errors.Is(ctx.Err(), context.Canceled) {
				counted.Left()
			}
		}
}
