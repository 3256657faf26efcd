package entrypoint_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// send sends an HTTP request to the web port.
func (f *fixture) send(method, path, body string, header ...string) *http.Response {
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.web+path, strings.NewReader(body))
	require.NoError(f.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(f.t, err)
	_, _ = io.Copy(io.Discard, res.Body)
	require.NoError(f.t, res.Body.Close())
	return res
}

// producer is the header of a producer's event in JSON.
func producer() []string {
	return []string{"Content-Type", "application/json", "Ce-Specversion", "1.0", "Ce-Id", "42", "Ce-Source", "/s", "Ce-Type", "t"}
}

// TestServerTiming: each protocol of the web port has the times of the steps, and the
// record knows the protocol.
func TestServerTiming(t *testing.T) {
	for name, c := range map[string]struct {
		path, body, kind string
		header           []string
		want             record.Protocol
	}{
		"JSON":       {"/test.Entrypoint/Call", `{"text":"x"}`, "application/json", nil, record.JSON},
		"Connect":    {"/test.Entrypoint/Call", `{"text":"x"}`, "application/json", []string{"Connect-Protocol-Version", "1"}, record.Connect},
		"gRPC-Web":   {"/test.Entrypoint/Call", "\x00\x00\x00\x00\x03\x0a\x01x", "application/grpc-web", nil, record.GRPCWeb},
		"CloudEvent": {"/workflows/flow", `{"text":"x"}`, "application/json", producer(), record.CloudEvent},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			o, seen := observed()
			f.serve(f.version(node(t, "a", reporting("a", f.says("a", false))), node(t, "b", reporting("b", f.says("b", true)))), o)
			res := f.send(http.MethodPost, c.path, c.body, append(c.header, "Content-Type", c.kind)...)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Regexp(t, `^a;dur=0\.003, b;dur=0\.003, total;dur=[0-9.]+$`, res.Header.Get("Server-Timing"))
			require.Equal(t, c.want, seen.take(t, 1)[0].Protocol)
		})
	}
}

func TestFailuresHaveServerTiming(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusBadRequest, nil })), quick())
	for _, path := range []string{"/test.Entrypoint/Call", "/workflows/flow"} {
		res := f.send(http.MethodPost, path, `{"text":"x"}`, producer()...)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		require.Regexp(t, `^total;dur=[0-9.]+$`, res.Header.Get("Server-Timing"))
	}
}

// TestWhatCannotBeReadIsObserved: by each protocol.
func TestWhatCannotBeReadIsObserved(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	o.MaxMessageBytes = 64 << 10
	f.serve(f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) {
		t.Error("the workflow ran")
		return http.StatusAccepted, nil
	})), o)
	require.Equal(t, http.StatusBadRequest, f.send(http.MethodPost, "/test.Entrypoint/Call", "{", "Content-Type",
		"application/json").StatusCode)
	require.Equal(t, http.StatusBadRequest, f.send(http.MethodPost, "/workflows/flow", "{", producer()...).StatusCode)
	_, err := f.call(t.Context(), strings.Repeat("x", 65<<10))
	failed(t, err, codes.ResourceExhausted)
	for i, want := range []record.Record{
		{Protocol: record.JSON, Code: code.Code_INVALID_ARGUMENT},
		{Protocol: record.CloudEvent, Code: code.Code_INVALID_ARGUMENT},
		{Protocol: record.GRPC, Code: code.Code_RESOURCE_EXHAUSTED},
	} {
		r := seen.take(t, 3)[i]
		require.Equal(t, []any{want.Protocol, want.Code, "flow", ""}, []any{r.Protocol, r.Code, r.Workflow, r.ID})
		require.NotEmpty(t, r.Error)
	}
	f.awaitIdle()
}

func TestTheTrailerOfSteps(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", reporting("a", f.says("a", true)))), quick())
	for value, want := range map[string]int{"": 0, "0": 0, "1": 2} {
		var trailer metadata.MD
		ctx := metadata.AppendToOutgoingContext(t.Context(), "krt-trace", value)
		in, out := f.message("test.Request"), f.message("test.Reply")
		require.NoError(t, f.conn.Invoke(ctx, "/test.Entrypoint/Call", in, out, grpc.Trailer(&trailer)))
		steps := event.Steps(strings.Join(trailer.Get("krt-steps"), "")).AppendTo(nil)
		require.Len(t, steps, want)
		if want > 0 {
			require.Equal(t, []string{"entrypoint", "a"}, []string{steps[0].Node, steps[1].Node})
			require.Less(t, steps[1].Run, steps[0].Run)
		}
	}
}
