package entrypoint_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/runner/event"
)

// TestTheRecordOfAStream: it is one, at the end, also if that is a failure.
func TestTheRecordOfAStream(t *testing.T) {
	more := make(chan struct{})
	close(more)
	failing := func(_ context.Context, _ *event.Event, send func(string) bool) event.End {
		send("one")
		return event.End{Failure: event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "no"}.Status()}
	}
	silent := func(context.Context, *event.Event, func(string) bool) event.End { return event.End{} }
	for name, c := range map[string]struct {
		h        streamer
		code     code.Code
		messages int
		bytes    int
	}{
		"three messages":           {three(more), code.Code_OK, 3, 5 + 5 + 7},
		"a failure behind another": {failing, code.Code_INTERNAL, 1, 5},
		"none":                     {silent, code.Code_OK, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			o, seen := observed()
			f.serve(f.streaming(f.streams("a", c.h)), o)
			_, _ = f.open(t.Context(), "hi").all()
			f.awaits("krt_requests_in_flight 0")
			r := seen.take(t, 1)[0]
			require.True(t, r.Streamed)
			require.Equal(t, c.code, r.Code)
			require.Equal(t, []int{c.messages, c.bytes}, []int{r.Messages, r.ResponseBytes})
			require.Equal(t, c.messages == 0, r.FirstMessage.IsZero())
			require.False(t, r.Messages > 0 && (r.FirstMessage.Before(r.Begin) || r.FirstMessage.After(r.End)))
		})
	}
	f := newFixture(t)
	o, seen := observed()
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	_, err := f.call(t.Context(), "hi")
	require.NoError(t, err)
	require.False(t, seen.take(t, 1)[0].Streamed)
	require.NotContains(t, f.metrics(), "krt_stream_", "a version without streams has no series of them")
}

// TestTheRecordOfABodyThatIsNoMessage: it says what the client was told.
func TestTheRecordOfABodyThatIsNoMessage(t *testing.T) {
	for name, c := range map[string]struct{ body, kind, told string }{
		"JSON":            {`{"txet":1}`, "application/json", "unknown field"},
		"JSON in a frame": {framed(0, `{"txet":1}`), "application/connect+json", "unknown field"},
		"gRPC-Web":        {framed(0, `{"txet":1}`), "application/grpc-web+json", "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			o, seen := observed()
			f.serve(f.streaming(f.streams("a", f.countsUp)), o)
			got := f.request(http.MethodPost, f.web+tokensPath, c.body, "Content-Type", c.kind)
			require.Contains(t, got.body+got.header.Get("Grpc-Message"), c.told)
			f.awaits("krt_requests_in_flight 0")
			r := seen.take(t, 1)[0]
			require.Equal(t, []any{code.Code_INVALID_ARGUMENT, "the body cannot be decoded"}, []any{r.Code, r.Error})
		})
	}
}

// TestAnInspectedStreamHasItsLastMessage, and how many there were.
func TestAnInspectedStreamHasItsLastMessage(t *testing.T) {
	more := make(chan struct{})
	close(more)
	f := newFixture(t)
	v := f.streaming(node(t, "etl", f.says("etl", false)), f.streams("model", three(more)))
	v.Inspect = &capture.Settings{}
	f.serve(v, quick())
	s := f.open(metadata.AppendToOutgoingContext(t.Context(), "krt-inspect", "1"), "hi")
	_, err := s.all()
	require.NoError(t, err)
	f.awaits("krt_requests_in_flight 0")
	res, err := http.Get(f.inspect + "/requests/" + s.Trailer()["krt-correlation-id"][0])
	require.NoError(t, err)
	defer res.Body.Close()
	var kept inspection.Request
	require.NoError(t, json.NewDecoder(res.Body).Decode(&kept))
	require.Equal(t, 3, kept.Stream.Messages)
	require.Positive(t, kept.Stream.FirstMS)
	require.Contains(t, string(kept.Input.JSON), `"hi"`)
	require.Contains(t, string(kept.Output.JSON), `"three"`)
	require.Len(t, kept.Steps, 2)
	require.Contains(t, string(kept.Steps[0].Output.JSON), `"hi>etl"`)
	require.Contains(t, string(kept.Steps[1].Input.JSON), `"hi>etl"`)
	require.Contains(t, string(kept.Steps[1].Output.JSON), `"three"`)
}
