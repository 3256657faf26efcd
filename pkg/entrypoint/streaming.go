package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/event"
)

// sink is how a port gives the client the messages of a stream.
type sink struct {
	// send sends one message, and takes it over. It waits while the client does not read.
	send func(mem.Buffer) error
	// abort ends a send that waits: the client's time is over, or it has gone.
	abort func()
	// done is called by the port once there are no more messages; nil: there is nothing to do.
	done func()
}

// newStream returns the stream of a request of the route; nil if its rpc is unary, or no client
// waits.
func (k *ticket) newStream(async bool) *stream.Stream {
	if !k.route.stream || async {
		return nil
	}
	o := &k.entry.options
	return stream.New(k.route.want, stream.Limits{Messages: o.StreamMessages, Idle: o.StreamIdle})
}

// limit bounds the time of a request whose client waits.
func (k *ticket) limit() time.Duration {
	if k.route.stream {
		return k.entry.options.StreamTimeout
	}
	return k.entry.options.Timeout
}

// stream sends in through the workflow, as call does, and gives the messages of the response to the
// client as they come. The response that it returns is how the stream ended, and has no data.
func (k ticket) stream(ctx context.Context, in received, to sink) (*request, response) {
	r := k.run(ctx, in)
	return r, r.pump(ctx, to)
}

// pump gives the client the messages of the stream until its end, the deadline, or the end of the
// client's context. It is await for a stream: what ends a unary request ends a stream, and data
// that comes with it is the last message.
func (r *request) pump(client context.Context, to sink) response {
	until, done := context.WithDeadline(client, r.deadline) // that of the work moves at an early reply
	defer done()
	sends := atomic.Bool{}
	defer stream.AbortAt(until, &sends, to.abort)()
	work, out, ended := r.work, response{}, false
	var refused error // by the port
	for !ended {
		data, err := r.Stream.Next(until, work)
		switch {
		case err == nil:
			refused = r.send(until, to, &sends, data)
			ended = refused != nil
		case errors.Is(err, io.EOF):
			out, ended = <-r.responses, true
		case errors.Is(err, stream.ErrIdle):
			r.offer(response{failure: r.idle(), steps: r.Steps()})
			r.cancel(errGone)
		case until.Err() == nil && r.responded.Load(): // when the work ended: the end of the stream comes, too
			work = until
		default:
			ended = true
		}
		if ended && !errors.Is(err, io.EOF) {
			out = r.cut(until, refused)
		}
	}
	r.Stream.Abandon()
	r.gone.Store(true)
	r.end(out)
	r.leave()
	return out
}

// send gives the client one message. After an error there may be no more.
func (r *request) send(until context.Context, to sink, sends *atomic.Bool, data mem.Buffer) error {
	if r.kept != nil {
		r.kept.Output(r.route.want, data.ReadOnlyData())
	}
	sends.Store(true)
	defer sends.Store(false)
	if err := until.Err(); err != nil {
		data.Free()
		return err
	}
	return to.send(data)
}

// cut ends a stream whose client has gone, whose time is over, or of which the port has refused a
// message: the client has not got all messages, whatever comes of the work.
func (r *request) cut(until context.Context, refused error) response {
	out := r.giveUp(until)
	var why *connect.Error
	switch {
	case errors.As(refused, &why) && until.Err() == nil: // the port has told the client
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
