package entrypoint_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

// streaming is the version whose workflow serves the streaming rpc.
func (f *fixture) streaming(steps ...entrypoint.Step) entrypoint.Version {
	v := f.version(steps...)
	v.Workflows[0].Method = f.schema.Methods()[4]
	return v
}

// streamer is what a test's node makes of an event, as frames: send sends a message, and blocks
// while nobody reads; it reports whether it was sent.
type streamer func(ctx context.Context, in *event.Event, send func(text string) bool) event.End

// streams runs a node of the test's own whose response is a body of frames.
func (f *fixture) streams(name string, h streamer) entrypoint.Step {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := event.ReadHeader(r.Header)
		if err == nil {
			in.Data, err = event.ReadBody(r.Body, r.ContentLength, 64<<20)
		}
		if err != nil || !event.AcceptsStream(r.Header) {
			http.Error(w, "it may not be a stream", http.StatusBadRequest)
			return
		}
		in.Next(event.Source("test", "v1", name), event.TypeMessage, in.Stream.Message, nil).WriteStream(w.Header())
		flush := http.NewResponseController(w).Flush
		end := h(r.Context(), in, func(text string) bool {
			_, err := w.Write(event.AppendFrame(nil, f.text("test.Reply", text)))
			return err == nil && flush() == nil
		})
		_, _ = w.Write(event.AppendEnd(nil, end))
	}))
	f.t.Cleanup(s.Close)
	return entrypoint.Step{Node: name, URL: s.URL}
}

// tokens are the messages of a call of the streaming rpc.
type tokens struct {
	*fixture
	grpc.ClientStream
}

// ask calls the streaming rpc.
func (f *fixture) open(ctx context.Context, text string) tokens {
	f.t.Helper()
	s, err := f.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/test.Entrypoint/Tokens")
	require.NoError(f.t, err)
	in := f.message("test.Request")
	in.Set(in.Descriptor().Fields().ByName("text"), valueOf(text))
	require.NoError(f.t, s.SendMsg(in))
	require.NoError(f.t, s.CloseSend())
	return tokens{f, s}
}

// next is the text of the next message.
func (s tokens) next() (string, error) {
	out := s.message("test.Reply")
	err := s.RecvMsg(out)
	return out.Get(out.Descriptor().Fields().ByName("text")).String(), err
}

// all are the texts of all messages, and the error with which they end; nil for a good end.
func (s tokens) all() (texts []string, err error) {
	for {
		text, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return texts, nil
		case err != nil:
			return texts, err
		}
		texts = append(texts, text)
	}
}

// awaitNothing waits until nothing is held for any request.
func (f *fixture) awaitNothing(t *testing.T) {
	t.Helper()
	f.awaits("krt_requests_in_flight 0")
	f.awaits("krt_held_bytes 0")
}
