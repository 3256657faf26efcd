package entrypoint

import (
	"errors"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/event"
)

var errClosed = errors.New("the connection is closed")

// serveStream serves a call of a streaming rpc in Connect's streaming protocol with protobuf
// messages. Its client has the request's id as a header, with the first message or ping.
func (h *rpcHandler) serveStream(w http.ResponseWriter, r *http.Request, k ticket, in received) {
	body := web.TranscodingOf(r.Context())
	below := body.Writer()
	control := http.NewResponseController(below)
	in.begun = func(id string) {
		w.Header().Set(headerCorrelation, id)
		w.Header().Set("Content-Type", event.StreamType)
		w.Header().Set("X-Accel-Buffering", "no") // nginx would keep messages back
		_ = control.SetWriteDeadline(time.Time{}) // until something is written
		traffic.Streaming(w)
		if body.Protocol() == record.JSON { // it waits for the first message; without one, pings begin
			w.WriteHeader(http.StatusOK)
		}
	}
	var panicked any
	in.sink = stream.Sink{
		Send: func(data mem.Buffer, freed func(int64)) (err error) {
			defer freed(int64(cap(data.ReadOnlyData())))
			defer func() { // by the goroutine that has the message: the panic is the client's
				if panicked = recover(); panicked != nil {
					err = errClosed
				}
			}()
			out := web.BeginResponse(r.Context(), below, data)
			if out == nil {
				return errClosed
			}
			defer out.Free()
			err = web.WriteFrame(w, out.ReadOnlyData())
			if err == nil {
				err = body.Sent()
			}
			return err
		},
		Abort: func() { _ = control.SetWriteDeadline(time.Unix(1, 0)) },
	}
	req, response := k.stream(r.Context(), in)
	defer req.observe()
	if panicked != nil {
		panic(panicked) // ends the client's connection, and is logged, by net/http
	}
	traffic.Begun(w, code.Code(response.failure.GetCode()))
	_ = control.SetWriteDeadline(time.Now().Add(web.ResponseTime))
	_, _ = w.Write(event.AppendEnd(nil, body.Ended(response.failure)))
}
