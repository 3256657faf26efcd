package entrypoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/event"
)

var errClosed = errors.New("the connection is closed")

// serveStream serves a call of a streaming rpc in Connect's streaming protocol with protobuf
// messages. Its client has the request's id at once.
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
	req, response := k.stream(r.Context(), in, sink{
		send: func(data mem.Buffer) error {
			out := web.BeginResponse(r.Context(), below, data)
			if out == nil {
				return errClosed
			}
			defer out.Free()
			err := writeFrame(w, out.ReadOnlyData())
			if err == nil {
				err = control.Flush()
			}
			if err == nil {
				err = control.SetWriteDeadline(time.Time{})
			}
			return err
		},
		abort: func() { _ = control.SetWriteDeadline(time.Unix(1, 0)) },
	})
	defer req.observe()
	traffic.Begun(w, code.Code(response.failure.GetCode()))
	_ = control.SetWriteDeadline(time.Now().Add(web.ResponseTime))
	_, _ = w.Write(event.AppendEnd(nil, event.End{Failure: response.failure}))
}

// writeFrame writes a message in two parts: one that has both would be a copy.
func writeFrame(w io.Writer, message []byte) error {
	var header [event.FrameHeader]byte
	_, err := w.Write(event.AppendFrameHeader(header[:0], len(message)))
	if err == nil {
		_, err = w.Write(message)
	}
	return err
}

// unwrap returns the only message of the body of a call of a streaming rpc. The error is Connect's.
func (r *route) unwrap(body []byte) ([]byte, error) {
	var text string
	switch rest := len(body) - event.FrameHeader; {
	case len(body) == 0:
		text = fmt.Sprintf("rpc %s requires a %s, but the request has no message", r.path[1:], r.input.FullName())
	case rest < 0 || int64(binary.BigEndian.Uint32(body[1:])) > int64(rest):
		text = "the message ended early"
	case int64(binary.BigEndian.Uint32(body[1:])) < int64(rest):
		text = fmt.Sprintf("rpc %s takes one message, but the request has more", r.path[1:])
	case body[0] != 0:
		text = fmt.Sprintf("the message has the flags %d; they must be 0, or 1 with a header that names the compression", body[0])
	default:
		return body[event.FrameHeader:], nil
	}
	return nil, connect.NewError(connect.CodeInvalidArgument, errors.New(text))
}
