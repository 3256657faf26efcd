package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	streams "krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/event"
)

// ForwardStream is Forward for an rpc whose response is a stream: its messages go to sink as they
// come, and the error is how it has ended. Once there has been a message, the published version
// cannot serve the call any more.
func (q *Request) ForwardStream(stream grpc.ServerStream, c Call, sink streams.Sink) (served bool, err error) {
	client := stream.Context()
	ctx, cancel := q.during(client, q.divider.options.StreamTimeout, 0)
	defer cancel()
	r := &relay{Request: q, client: stream, sink: sink}
	defer streams.AbortAt(ctx, func() {
		if r.sends.Load() {
			sink.Abort()
		}
	})()
	failure, served := r.run(ctx, c)
	if !served {
		return false, nil
	}
	q.forwardedStream(code.Code(failure.GetCode()), r.first)
	return true, status.FromProto(failure).Err()
}

// relay is a stream that is forwarded.
type relay struct {
	*Request

	client   grpc.ServerStream
	sink     streams.Sink
	sent     func()      // is called when the request has been sent
	sends    atomic.Bool // a message, which may wait for the client
	begun    bool        // the client has the header of the response, or soon will
	messages int
	first    time.Time   // when the first of them was there
	trailer  metadata.MD // of a stream that was read to its end
}

// run forwards the call. The failure is how the stream ended, nil if it ended well. It reports false
// if the published version has to serve the call.
func (r *relay) run(ctx context.Context, c Call) (failure *spb.Status, served bool) {
	budget, size := r.divider.options.Budget, int64(len(c.Data))
	if !budget.Reserve(size) {
		return nil, false
	}
	r.sent = sync.OnceFunc(func() { budget.Release(size) })
	defer r.sent()
	conn, late := r.connect(ctx)
	if conn == nil {
		return late, late != nil
	}
	ctx, cancel := context.WithCancel(outgoing(ctx)) // it ends the stream in any case
	defer cancel()
	from, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, c.Method)
	if err == nil {
		err = r.exchange(from, c)
	}
	refusal := len(r.trailer[Metadata]) > 0
	if failure = status.Convert(err).Proto(); failure != nil {
		if ctx.Err() == nil && !r.begun && !r.accepts(failure, refusal) {
			return nil, false
		}
		failure = r.explain(ctx, failure)
	}
	delete(r.trailer, Metadata)
	delete(r.trailer, "grpc-status-details-bin") // it is in the failure
	r.client.SetTrailer(r.trailer)
	return failure, true
}

// explain is what the client is told of a failure with which the stream has ended. One without details
// is not the canary's own.
func (r *relay) explain(ctx context.Context, failure *spb.Status) *spb.Status {
	client := r.client.Context()
	switch {
	case len(failure.GetDetails()) > 0:
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return r.gaveUp(context.WithoutCancel(client)) // the call may have been aborted
	case ctx.Err() != nil:
		return r.gaveUp(client)
	case r.begun && failure.GetCode() == int32(code.Code_UNAVAILABLE): // the connection has broken
		return event.Failure{
			Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable, Version: r.state.Version,
			Text: fmt.Sprintf("version %q broke off the stream after %d messages: %s", r.state.Version, r.messages, failure.GetMessage()),
		}.Status()
	}
	return failure
}

// exchange sends the request to from, and the messages of the response to the sink.
func (r *relay) exchange(from grpc.ClientStream, c Call) error {
	if err := from.SendMsg(mem.BufferSlice{r.divider.own(c.Data)}); err != nil && !errors.Is(err, io.EOF) {
		return err // after io.EOF the reason comes with the response
	}
	if c.AtOnce {
		if header, err := from.Header(); err == nil && len(header) > 0 {
			r.begin(header)
			_ = r.client.SendHeader(nil)
		}
	}
	for {
		message, err := r.receive(from)
		over := errors.Is(err, io.EOF)
		if err != nil && !over {
			return err
		}
		if !r.begun {
			header, _ := from.Header() // it has come before
			r.begin(header)
		}
		if over {
			return nil
		}
		if err := r.pass(from.Context(), message); err != nil {
			return err
		}
	}
}

// receive returns the next message. At the end of the stream, it keeps the trailer: gRPC allows it then only.
func (r *relay) receive(from grpc.ClientStream) (message mem.BufferSlice, err error) {
	if err = from.RecvMsg(&message); err != nil {
		r.trailer = from.Trailer()
	}
	return message, err
}

// begin passes the header of the response on.
func (r *relay) begin(header metadata.MD) {
	r.begun = true
	r.sent()
	_ = r.client.SetHeader(responseHeader(header))
}

// pass passes a message on.
func (r *relay) pass(ctx context.Context, message mem.BufferSlice) error {
	data, err := streams.Patiently(ctx, func() (mem.Buffer, error) { return r.divider.keep(message) })
	message.Free()
	switch {
	case errors.Is(err, memory.ErrFull):
		return status.FromProto(memory.Refusal(err)).Err()
	case err != nil:
		return err
	}
	if r.messages++; r.messages == 1 {
		r.first = time.Now()
	}
	r.sends.Store(true)
	defer r.sends.Store(false)
	if err := ctx.Err(); err != nil {
		data.Free()
		return err
	}
	return r.sink.Send(data, nil)
}
