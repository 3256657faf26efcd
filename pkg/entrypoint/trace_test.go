package entrypoint_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	clientParent  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	hopParent     = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
	foreignParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

// tracedSteps are two steps that hand on the headers of each event they get.
func (f *fixture) tracedSteps(seen chan<- http.Header) []entrypoint.Step {
	steps := make([]entrypoint.Step, 2)
	for i, name := range []string{"a", "b"} {
		next := f.says(name, i == 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen <- r.Header
			handle(func(ctx context.Context, in *event.Event) (int, *event.Event) {
				status, out := next(ctx, in)
				out.Trace = event.Trace{} // a node of another make that forgets it
				return status, out
			}).ServeHTTP(w, r)
		}))
		f.t.Cleanup(server.Close)
		steps[i] = entrypoint.Step{Node: name, URL: server.URL}
	}
	return steps
}

// requireTrace checks the header and the attribute that both steps were sent.
func requireTrace(t *testing.T, seen <-chan http.Header, want event.Trace) {
	t.Helper()
	for range 2 {
		h := <-seen
		require.Equal(t, want, event.RequestTrace(h), "the headers of the HTTP request")
		in, err := event.ReadHeader(h)
		require.NoError(t, err)
		require.Equal(t, want, in.Trace, "the attributes of the event")
		if want.Parent == "" {
			require.Empty(t, h.Values("Traceparent"))
			require.Empty(t, h.Values("Ce-Traceparent"))
		}
	}
}

// TestTheClientsTraceReachesEveryStep: by whatever protocol it comes.
func TestTheClientsTraceReachesEveryStep(t *testing.T) {
	f := newFixture(t)
	seen := make(chan http.Header, 2)
	f.serve(f.version(f.tracedSteps(seen)...), quick())
	want, near := event.Trace{Parent: clientParent, State: "vendor=1,other=2"}, event.Trace{Parent: hopParent, State: "hop=1"}
	const rpc, flow, body = "/test.Entrypoint/Call", "/workflows/flow", `{"text": "x"}`
	json := []string{"Content-Type", "application/json"}
	binary := []string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/me", "Ce-Type", "x", "Content-Type", "application/json"}
	alone := event.Trace{Parent: clientParent}
	grpcWeb := []string{"Content-Type", "application/grpc-web+proto"}
	structured := []string{"Content-Type", "application/cloudevents+json"}
	trace := []string{"Traceparent", clientParent, "Tracestate", "vendor=1,other=2"}
	attributes := []string{"Ce-Traceparent", clientParent, "Ce-Tracestate", "vendor=1,other=2"}
	hop := []string{"Traceparent", hopParent, "Tracestate", "hop=1"}
	traced := `{"specversion": "1.0", "id": "1", "source": "/me", "type": "x", "traceparent": "` + clientParent +
		`", "tracestate": "vendor=1,other=2", "data": {"text": "x"}}`
	for name, c := range map[string]struct {
		path, body string
		headers    [][]string
		want       event.Trace
	}{
		"JSON":                        {rpc, body, [][]string{json, trace}, want},
		"Connect":                     {rpc, body, [][]string{json, {"Connect-Protocol-Version", "1"}, trace}, want},
		"gRPC-Web":                    {rpc, "\x00\x00\x00\x00\x03\x0a\x01x", [][]string{grpcWeb, trace}, want},
		"event, header":               {flow, body, [][]string{binary, trace}, want},
		"event, attribute":            {flow, body, [][]string{binary, attributes}, want},
		"event, a hop behind":         {flow, body, [][]string{binary, attributes, hop}, near},
		"event, a hop of another":     {flow, body, [][]string{binary, attributes, {"Traceparent", foreignParent}}, want},
		"structured event":            {flow, traced, [][]string{structured}, want},
		"structured event, a hop":     {flow, traced, [][]string{structured, hop}, near},
		"asynchronous event":          {flow, body, [][]string{binary, trace, {"Prefer", "respond-async"}}, want},
		"none":                        {rpc, body, [][]string{json}, event.Trace{}},
		"a state alone":               {rpc, body, [][]string{json, {"Tracestate", "a=b"}}, event.Trace{}},
		"version ff":                  {rpc, body, [][]string{json, {"Traceparent", "ff" + clientParent[2:]}}, event.Trace{}},
		"upper case":                  {rpc, body, [][]string{json, {"Traceparent", strings.ToUpper(clientParent)}}, event.Trace{}},
		"a later version":             {rpc, body, [][]string{json, {"Traceparent", "01" + clientParent[2:] + "-x"}}, alone},
		"an attribute that is broken": {flow, body, [][]string{binary, {"Ce-Traceparent", "00-x"}, trace}, want},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodPost, f.web+c.path, c.body, slices.Concat(c.headers...)...)
			require.Less(t, got.status, 300, got.body)
			requireTrace(t, seen, c.want)
		})
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", clientParent, "tracestate", "vendor=1", "tracestate", "other=2")
	for name, c := range map[string]struct {
		ctx  context.Context
		want event.Trace
	}{
		"gRPC":             {ctx, want},
		"gRPC, two of it":  {metadata.AppendToOutgoingContext(ctx, "traceparent", hopParent), event.Trace{}},
		"gRPC, without it": {t.Context(), event.Trace{}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.call(c.ctx, "x")
			require.NoError(t, err)
			requireTrace(t, seen, c.want)
		})
	}
}

// TestTheResponseToAnEventIsOfItsTrace: whoever gets it next can go on.
func TestTheResponseToAnEventIsOfItsTrace(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	header := []string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/me", "Ce-Type", "x", "Content-Type", "application/json"}
	got := f.request(http.MethodPost, f.web+"/workflows/flow", `{}`, append(header, "Ce-Traceparent", clientParent, "Ce-Tracestate", "a=b")...)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, clientParent, got.header.Get("Ce-Traceparent"))
	require.Equal(t, "a=b", got.header.Get("Ce-Tracestate"))
	got = f.request(http.MethodPost, f.web+"/workflows/flow", `{}`, append(header, "Ce-Traceparent", "00-x")...)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Empty(t, got.header.Values("Ce-Traceparent"))
}

// TestASequenceIsSentTheTrace: header and attribute, as Direct sends them.
func TestASequenceIsSentTheTrace(t *testing.T) {
	f := newFixture(t)
	seen := make(chan http.Header, 1)
	sequence := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		in, err := event.ReadHeader(r.Header)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		f.post("/reply", in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "done")))
		w.WriteHeader(http.StatusAccepted)
	}))
	defer sequence.Close()
	f.viaSequenceAt(sequence.URL, 0)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", clientParent)
	_, err := f.call(ctx, "x")
	require.NoError(t, err)
	h := <-seen
	require.Equal(t, clientParent, h.Get("Traceparent"))
	require.Equal(t, clientParent, h.Get("Ce-Traceparent"))
}

// TestAForwardedReplyKeepsItsTrace: on its way to the replica that holds the request.
func TestAForwardedReplyKeepsItsTrace(t *testing.T) {
	forwarded := make(chan http.Header, 1)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forwarded <- r.Header
		w.WriteHeader(http.StatusAccepted)
	}))
	defer other.Close()
	o := quick()
	o.Key = make([]byte, 32)
	holder, taker := newFixture(t), newFixture(t)
	taker.serve(taker.version(node(t, "a", taker.says("a", true))), o)
	o.Advertise = other.Listener.Addr().String()
	in, answer := holder.waiting(o)
	reply := taker.replyTo(in, "done")
	reply.Trace = event.Trace{Parent: clientParent, State: "a=b"}
	require.Equal(t, http.StatusAccepted, taker.post("/reply", reply, "Traceparent", hopParent))
	require.Len(t, forwarded, 1, "it is forwarded before the response")
	h := <-forwarded
	require.Equal(t, hopParent, h.Get("Traceparent"))
	require.Equal(t, clientParent, h.Get("Ce-Traceparent"))
	require.Equal(t, "a=b", h.Get("Ce-Tracestate"))
	require.Equal(t, http.StatusAccepted, holder.post("/reply", reply))
	_, err := answer()
	require.NoError(t, err)
}
