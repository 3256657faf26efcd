package entrypoint_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/telemetry"
)

// sampling are options with an observer, and with the sampler of the given name.
func sampling(t *testing.T, name string) (entrypoint.Options, *records) {
	t.Helper()
	o, seen := observed()
	sampler, err := telemetry.ParseSampler(name, "")
	require.NoError(t, err)
	o.Tracer = sampler
	return o, seen
}

// hops hands on the trace contexts that h's node gets: those of the HTTP request and of the
// event.
func hops(t *testing.T, name string, seen chan<- [2]event.Trace, h handle) entrypoint.Step {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := event.ReadHeader(r.Header)
		if err == nil {
			seen <- [2]event.Trace{event.RequestTrace(r.Header), in.Trace}
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return entrypoint.Step{Node: name, URL: server.URL}
}

// TestEachAttemptIsASpan: the header of what nodes get has the attempt's span, the event's
// attribute the request's.
func TestEachAttemptIsASpan(t *testing.T) {
	for name, client := range map[string]string{"of a client's trace": clientParent, "of a trace of its own": ""} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			o, seen := sampling(t, "")
			got := make(chan [2]event.Trace, 3)
			var calls atomic.Int32
			a := f.says("a", false)
			f.serve(f.version(hops(t, "a", got, func(ctx context.Context, in *event.Event) (int, *event.Event) {
				if calls.Add(1) == 1 {
					return http.StatusServiceUnavailable, nil
				}
				return a(ctx, in)
			}), hops(t, "b", got, f.says("b", true))), o)
			ctx := t.Context()
			if client != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", client, "tracestate", "a=b")
			}
			_, err := f.call(ctx, "x")
			require.NoError(t, err)

			r := seen.take(t, 1)[0]
			require.True(t, r.Sampled)
			require.Equal(t, r.SpanID, r.Trace.Span())
			of := event.NewTrace(client, "a=b")
			require.Equal(t, of.Span(), r.ParentID)
			if client != "" {
				require.Equal(t, of.Child(r.SpanID), r.Trace)
			}
			require.Len(t, r.Sends, 3)
			spans := map[[8]byte]bool{r.SpanID: true, r.ParentID: true}
			for _, send := range r.Sends {
				hop := <-got
				require.Equal(t, r.Trace, hop[1], "the attribute")
				require.Equal(t, r.Trace.Child(send.SpanID), hop[0], "the header")
				require.False(t, spans[send.SpanID])
				spans[send.SpanID] = true
			}
		})
	}
}

// TestWhatIsNotSampledHasNoSpan: and what the client sent reaches the nodes.
func TestWhatIsNotSampledHasNoSpan(t *testing.T) {
	f := newFixture(t)
	o, seen := sampling(t, "parentbased_always_off")
	got := make(chan [2]event.Trace, 2)
	f.serve(f.version(hops(t, "a", got, f.says("a", true))), o)
	unsampled := event.Trace{Parent: clientParent}.WithSampled(false)
	for i, client := range []event.Trace{{}, unsampled} {
		ctx := t.Context()
		if client.Parent != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", client.Parent)
		}
		_, err := f.call(ctx, "x")
		require.NoError(t, err)
		require.Equal(t, [2]event.Trace{client, client}, <-got)
		r := seen.take(t, i+1)[i]
		require.Equal(t, [][8]byte{{}, {}, {}}, [][8]byte{r.SpanID, r.ParentID, r.Sends[0].SpanID})
		require.False(t, r.Sampled)
		require.Equal(t, client, r.Trace)
	}
}

// TestWhatHasNotEndedIsInTheRecord: the POST to a Sequence ends after its response has come.
func TestWhatHasNotEndedIsInTheRecord(t *testing.T) {
	f := newFixture(t)
	o, seen := sampling(t, "")
	answered := make(chan struct{})
	sequence := httptest.NewServer(handle(func(_ context.Context, in *event.Event) (int, *event.Event) {
		f.post("/reply", in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "done")))
		<-answered
		return http.StatusAccepted, nil
	}))
	defer sequence.Close()
	v := f.version(entrypoint.Step{Node: "a"})
	v.Workflows[0].Address = sequence.URL
	f.serve(v, o)
	_, err := f.call(t.Context(), "x")
	close(answered)
	require.NoError(t, err)
	r := seen.take(t, 1)[0]
	require.Len(t, r.Sends, 1)
	require.Equal(t, []any{record.ResultOK, r.End, ""}, []any{r.Sends[0].Result, r.Sends[0].End, r.Sends[0].Node})
	require.NotZero(t, r.Sends[0].SpanID)
}

// TestALineAboutARequestHasItsTrace: so that a log store can join them.
func TestALineAboutARequestHasItsTrace(t *testing.T) {
	f := newFixture(t)
	o, lines := logged()
	o.Tracer, _ = telemetry.ParseSampler("", "")
	got := make(chan [2]event.Trace, 9)
	f.serve(f.version(hops(t, "a", got, func(context.Context, *event.Event) (int, *event.Event) {
		return http.StatusBadRequest, nil
	})), o)
	_, err := f.call(metadata.AppendToOutgoingContext(t.Context(), "traceparent", clientParent), "x")
	require.Error(t, err)
	request := (<-got)[1]
	require.Contains(t, lines.String(), "trace_id="+request.ID()+" span_id="+request.SpanID())
	require.NotContains(t, lines.String(), "span_id=b7ad6b7169203331", "the client's")
}
