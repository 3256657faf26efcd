package entrypoint

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/raw"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// newDivider returns what divides the requests between this version and a canary.
func (e *Entrypoint) newDivider() *traffic.Divider {
	return traffic.New(traffic.Options{
		Folder: e.options.Traffic, MaxMessageBytes: e.options.MaxMessageBytes, Budget: e.budget, Buffers: e.buffers,
		Timeout: e.options.Timeout, StreamTimeout: e.options.StreamTimeout, Stopped: e.base,
		ConnectTime: connectTime, OutOfTime: failure.OutOfTime, Differ: e.capture.Differ, Logger: e.log,
	})
}

// mirror sends the copy of r, if there is one, now that the client has its response.
func (r *request) mirror() {
	if r.copied == nil {
		return
	}
	r.copied.Send(traffic.Subject{
		ID: r.id.String(), Workflow: r.route.Name, Method: r.route.path, Input: string(r.route.input.FullName()), Output: r.route.want,
		Contract: r.table.compared, Keep: r.table.contract != nil,
	})
}

// divide decides which version serves a call over gRPC; see [traffic.Divider.Begin].
func (e *Entrypoint) divide(ctx context.Context) *traffic.Request {
	return e.traffic.Begin(func(name string) []string { return metadata.ValueFromIncomingContext(ctx, name) })
}

// forward forwards the call of k, which then is over, if the canary is to serve it. It reports false
// if this version has to.
func (k *ticket) forward(stream grpc.ServerStream, q *traffic.Request, data mem.Buffer) (served bool, err error) {
	if !q.ToCanary() {
		return false, nil
	}
	call := traffic.Call{Method: k.route.path, Data: data.ReadOnlyData(), AtOnce: asked(stream.Context())}
	if k.route.stream {
		return k.forwardStream(stream, q, call, data)
	}
	served, response, err := q.Forward(stream, call)
	if !served {
		return false, nil
	}
	defer k.release()
	data.Free()
	if err != nil {
		return true, err
	}
	return true, send(stream, response)
}

// forwardStream is forward for a streaming rpc. The request is kept until the first message has come.
func (k *ticket) forwardStream(stream grpc.ServerStream, q *traffic.Request, c traffic.Call, data mem.Buffer) (served bool, err error) {
	free := sync.OnceFunc(data.Free)
	to, done := sinkOf(stream)
	defer done()
	send := to.Send
	to.Send = func(message mem.Buffer, freed func(int64)) error {
		free()
		return send(message, freed)
	}
	served, err = q.ForwardStream(stream, c, to)
	if served {
		free()
		k.release()
	}
	return served, err
}

// send sends the response to a call, which is freed when the client has it.
func send(stream grpc.ServerStream, response mem.Buffer) error {
	out := raw.Sending(stream.Context(), response)
	if out == nil {
		return errNotConnected
	}
	return stream.SendMsg(&raw.Frame{Data: mem.BufferSlice{out}})
}

// errNotConnected ends a call whose connection is closed.
var errNotConnected = status.Error(codes.Unavailable, "the connection is closed")

// forwarder is what forwarding needs of the web port.
func (e *Entrypoint) forwarder() traffic.Web {
	return traffic.Web{
		Admit:     func() bool { return e.inFlight.Add(1) <= int64(e.options.MaxInFlight) },
		Leave:     func() { e.inFlight.Add(-1) },
		ReadAhead: web.ReadAhead,
		Sending:   web.BeginResponse,
		Streams: func(r *http.Request) bool {
			t, name := e.table.Load(), strings.TrimPrefix(r.URL.Path, "/workflows/")
			return streams(t.byMethod[r.URL.Path]) || streams(t.byName[name])
		},
		Fail: web.Refuse,
	}
}
