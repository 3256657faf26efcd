package entrypoint_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

// unaryEnds are what can end a request of nodes that know of no streams: what the node a, the only
// one, does, and what the client gets.
func (f *fixture) unaryEnds() map[string]struct {
	do   handle
	want []string
	code codes.Code
} {
	reply := func(typ, text string) handle {
		return func(_ context.Context, in *event.Event) (int, *event.Event) {
			assert.Equal(f.t, http.StatusAccepted, f.post("/reply", in.Next("/krt/test/v1/a", typ, "test.Reply", f.text("test.Reply", text))))
			return http.StatusAccepted, nil
		}
	}
	return map[string]struct {
		do   handle
		want []string
		code codes.Code
	}{
		"its message":    {f.says("a", true), []string{"x>a"}, codes.OK},
		"an early reply": {reply(event.TypeReply, "early"), []string{"early"}, codes.OK},
		"an error": {func(_ context.Context, in *event.Event) (int, *event.Event) {
			f.post("/reply", in.Fail("/krt/test/v1/a", event.Failure{Code: code.Code_ABORTED, Text: "no"}))
			return http.StatusAccepted, nil
		}, nil, codes.Aborted},
		"another message": {func(_ context.Context, in *event.Event) (int, *event.Event) {
			return http.StatusOK, in.Next("/krt/test/v1/a", event.TypeMessage, "test.Request", nil)
		}, nil, codes.Internal},
	}
}

func TestAUnaryNodeIsAStreamOfOne(t *testing.T) {
	for name := range (&fixture{t: t}).unaryEnds() {
		t.Run(name, func(t *testing.T) {
			for _, delivery := range []string{"Direct", "Sequence"} {
				f := newFixture(t)
				end := f.unaryEnds()[name]
				step := node(t, "a", end.do)
				v := f.streaming(step)
				if delivery == "Sequence" {
					v.Workflows[0].Address = sequenceOf(f, end.do)
				}
				f.serve(v, quick())
				s := f.open(t.Context(), "x")
				got, err := s.all()
				require.Equal(t, end.code.String(), status.Code(err).String(), delivery)
				require.Equal(t, end.want, got, delivery)
				header, err := s.Header()
				require.NoError(t, err)
				require.Len(t, header.Get("Krt-Correlation-Id"), 1)
				f.awaitNothing(t)
			}
		})
	}
}

// sequenceOf is the address of a Sequence of the node a, whose message goes to the reply port.
func sequenceOf(f *fixture, a handle) string {
	return node(f.t, "sequence", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		if _, out := a(ctx, in); out != nil {
			f.post("/reply", out)
		}
		return http.StatusAccepted, nil
	}).URL
}

// What nodes get says that the rpc is streaming; those of unary rpcs get nothing.
func TestEventsOfAStreamSaySo(t *testing.T) {
	f := newFixture(t)
	seen := make(chan event.Stream, 2)
	spy := func(h handle) handle {
		return func(ctx context.Context, in *event.Event) (int, *event.Event) {
			seen <- in.Stream
			status, out := h(ctx, in)
			out.Stream = event.Stream{}
			return status, out
		}
	}
	steps := []entrypoint.Step{node(t, "a", spy(f.says("a", false))), node(t, "b", spy(f.says("b", true)))}
	v := f.streaming(steps...)
	v.Workflows = append(v.Workflows, entrypoint.Workflow{Name: "unary", Method: f.schema.Methods()[0], Steps: steps})
	f.serve(v, quick())
	got, err := f.open(t.Context(), "x").all()
	require.NoError(t, err)
	require.Equal(t, []string{"x>a>b"}, got)
	for range 2 {
		require.Equal(t, event.Stream{Last: "b", Message: "test.Reply"}, <-seen)
	}
	_, err = f.call(t.Context(), "x")
	require.NoError(t, err)
	for range 2 {
		require.Zero(t, <-seen)
	}
}
