package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/event"
)

// newStream returns the stream of the request, whose messages go to a port's sink; nil if its rpc is
// unary, or no client waits.
func (r *request) newStream(to stream.Sink) *stream.Stream {
	if !r.route.stream || r.async {
		return nil
	}
	send := to.Send
	to.Send = func(data mem.Buffer, freed func(int64)) error {
		if r.kept != nil {
			r.kept.Output(r.route.want, data.ReadOnlyData())
		}
		return send(data, freed)
	}
	o := &r.entry.options
	return stream.New(r.route.want, stream.Limits{Messages: o.StreamMessages, Idle: o.StreamIdle}, to)
}

// limit bounds the time of a request whose client waits.
func (k *ticket) limit() time.Duration {
	if k.route.stream {
		return k.entry.options.StreamTimeout
	}
	return k.entry.options.Timeout
}

// stream sends in through the workflow, as call does, while its messages go to the client as they
// come. The response that it returns is how the stream ended, and has no data.
func (k ticket) stream(ctx context.Context, in received) (*request, response) {
	r := k.run(ctx, in)
	return r, r.follow(ctx)
}

// follow waits until the client has the messages of the stream to its end, the deadline, or the end of
// the client's context. It is await for a stream: what ends a unary request ends a stream, and data
// that comes with it is the last message.
func (r *request) follow(client context.Context) response {
	until, done := context.WithDeadline(client, r.deadline) // that of the work moves at an early reply
	defer done()
	defer r.Stream.EndAt(until)()
	work, out, ended := r.work, response{}, false
	for !ended {
		err := r.Stream.Wait(until, work)
		switch {
		case err == nil:
			out, ended = <-r.responses, true
		case errors.Is(err, stream.ErrIdle):
			r.offer(response{failure: r.idle(), steps: r.Steps()})
			r.cancel(errGone)
		case work != until && work.Err() != nil && until.Err() == nil && r.responded.Load(): // the end of the stream comes, too
			work = until
		default:
			out, ended = r.cut(until, err), true
		}
	}
	r.Stream.Abandon()
	r.gone.Store(true)
	r.end(out)
	r.leave()
	return out
}

// cut ends a stream whose client has gone, whose time is over, or of which the port has refused a
// message, as err says: the client has not got all messages, whatever comes of the work.
func (r *request) cut(until context.Context, err error) response {
	out := r.giveUp(until)
	var why *connect.Error
	switch {
	case errors.As(err, &why) && until.Err() == nil: // the port has told the client
		out.failure = &spb.Status{Code: int32(why.Code()), Message: why.Message()}
	case out.failure != nil:
	case failure.OutOfTime(until, r.begin):
		out.failure = event.Failure{
			Code: code.Code_DEADLINE_EXCEEDED, Reason: event.ReasonDeadline, Workflow: r.route.Name, Version: r.table.version.Name,
			Text: fmt.Sprintf("the client did not read the messages of workflow %q in time", r.route.Name),
		}.Status()
	default:
		out.failure = &spb.Status{Code: int32(code.Code_CANCELLED), Message: "the client cancelled the request"}
	}
	return out
}

// idle is the failure of a stream in which no message has come for too long.
func (r *request) idle() *spb.Status {
	return r.owner().Idle(r.atWork(), r.Stream.Idle())
}
