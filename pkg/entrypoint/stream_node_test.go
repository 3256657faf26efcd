package entrypoint_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

// streamed serves one workflow of the streaming rpc.
func (f *fixture) streamed(o entrypoint.Options, steps ...entrypoint.Step) *fixture {
	return f.serve(f.streaming(steps...), o)
}

// frames is a body that a test's node writes.
type frames struct {
	io.Writer
	f *fixture
}

// send writes one message for each text.
func (b *frames) send(texts ...string) {
	for _, text := range texts {
		_, _ = b.Write(event.AppendFrame(nil, b.f.text("test.Reply", text))) // fails where the entrypoint has enough
	}
}

func (b *frames) end(e event.End) { _, _ = b.Write(event.AppendEnd(nil, e)) }

// flushed sends what is written at once.
type flushed struct{ http.ResponseWriter }

// Write implements io.Writer.
func (w flushed) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	return n, errors.Join(err, http.NewResponseController(w.ResponseWriter).Flush())
}

// responds runs a last node whose response is a stream that h writes.
func (f *fixture) responds(name string, h func(ctx context.Context, out *frames)) entrypoint.Step {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := event.ReadHeader(r.Header)
		if !assert.NoError(f.t, err) || !assert.True(f.t, event.AcceptsStream(r.Header)) {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		in.Next(event.Source("test", "v1", name), event.TypeMessage, "test.Reply", nil).WriteStream(w.Header())
		h(r.Context(), &frames{flushed{w}, f})
	}))
	f.t.Cleanup(s.Close)
	return entrypoint.Step{Node: name, URL: s.URL}
}

// postStream posts what h writes to the reply port as a node that has the event in.
func (f *fixture) postStream(in *event.Event, name string, h func(out *frames) error, extra ...string) (status int) {
	reader, writer := io.Pipe()
	go func() { _ = writer.CloseWithError(h(&frames{writer, f})) }()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, f.reply+"/stream", reader)
	require.NoError(f.t, err)
	in.Next(event.Source("test", "v1", name), event.TypeMessage, "test.Reply", nil).WriteStream(req.Header)
	for i := 0; i < len(extra); i += 2 {
		req.Header.Set(extra[i], extra[i+1])
	}
	// By default, what the body of a request has is sent a second later without having been asked for.
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	_ = reader.CloseWithError(http.ErrBodyReadAfterClose)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

// sequenced serves the streaming rpc over a Sequence that hands its events over, and accepts
// each once it is told to.
func (f *fixture) sequenced(o entrypoint.Options, nodes ...string) (events chan *event.Event) {
	events, done := make(chan *event.Event, 8), make(chan struct{})
	var steps []entrypoint.Step
	for _, name := range nodes {
		steps = append(steps, entrypoint.Step{Node: name})
	}
	v := f.streaming(steps...)
	v.Workflows[0].Address = node(f.t, "sequence", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		events <- in
		select {
		case <-done:
		case <-ctx.Done():
		}
		return http.StatusAccepted, nil
	}).URL
	f.serve(v, o)
	f.t.Cleanup(func() { close(done) }) // before it stops
	return events
}

func TestAResponseThatIsAStream(t *testing.T) {
	f := newFixture(t)
	gate := make(chan struct{})
	f.streamed(quick(), node(t, "a", f.says("a", false)), f.responds("b", func(_ context.Context, out *frames) {
		out.send("one", "two")
		<-gate
		out.send("three")
		out.end(event.End{})
	}))
	call := f.open(t.Context(), "x")
	for _, want := range []string{"one", "two"} {
		got, err := call.next()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	close(gate) // the first messages have come before the end
	rest, err := call.all()
	require.NoError(t, err)
	require.Equal(t, []string{"three"}, rest)
}
