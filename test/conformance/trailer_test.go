package conformance_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance/node"
)

func trailerCases() []testCase {
	return []testCase{
		{name: "trailer: a client that asks gets the steps in order, within the request", run: trailerInOrder},
		{name: "trailer: an exit, an early reply and an error end it", run: trailerOutcomes},
		{name: "trailer: where a node cannot be reached it has the steps before", run: trailerBeforeFailure},
		{name: "trailer: forged and oversized steps are left out and harm nothing", run: trailerForged},
		{name: "trailer: a retry is counted, and its step is there once", run: trailerRetry,
			differs: "the entrypoint counts its own attempts, a Sequence's are its channel's"},
	}
}

// withTrailer calls the rpc and returns the trailer krt-steps, with what came.
func (v *version) withTrailer(rpc string, in *node.Request) ([]event.Step, *node.Reply, error) {
	var trailer metadata.MD
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	out := &node.Reply{}
	ctx = metadata.AppendToOutgoingContext(ctx, "krt-trace", "1")
	err := v.conn.Invoke(ctx, "/conformance.Entrypoint/"+rpc, in, out, grpc.Trailer(&trailer))
	values := trailer.Get("krt-steps")
	require.Len(v.t, values, 1)
	return event.Steps(values[0]).AppendTo(nil), out, err
}

// outcomes is steps in words.
func outcomes(steps []event.Step) string {
	words := make([]string, len(steps))
	for i, s := range steps {
		words[i] = s.Node + " " + s.Outcome.String()
	}
	return strings.Join(words, ", ")
}

func trailerInOrder(v *version) {
	steps, _, err := v.withTrailer("Twelve", request("n12"))
	require.NoError(v.t, err)
	require.Len(v.t, steps, 13)
	whole := steps[0]
	require.Equal(v.t, "entrypoint ok", outcomes(steps[:1]))
	spans := map[[8]byte]bool{}
	for i, s := range steps[1:] {
		require.Equal(v.t, fmt.Sprintf("n%d ok", i+1), outcomes(steps[i+1:i+2]))
		require.False(v.t, s.Start.Before(whole.Start) || s.Start.Add(s.Wait+s.Run).After(whole.Start.Add(whole.Run)))
		spans[s.SpanID] = true
	}
	require.Len(v.t, spans, 12)
	var trailer metadata.MD
	require.NoError(v.t, v.conn.Invoke(v.t.Context(), "/conformance.Entrypoint/One", request("n1"), &node.Reply{}, grpc.Trailer(&trailer)))
	require.Empty(v.t, trailer.Get("krt-steps"), "nobody asked")
}

func trailerOutcomes(v *version) {
	for act, want := range map[node.Act]string{
		node.Act_EXIT:        "entrypoint ok, n1 ok, n2 exit",
		node.Act_EARLY_REPLY: "entrypoint ok, n1 ok, n2 reply",
		node.Act_FAIL:        "entrypoint error, n1 ok, n2 error",
	} {
		steps, _, err := v.withTrailer("Three", request("n3", order("n2", act, "x")))
		require.Equal(v.t, act == node.Act_FAIL, err != nil)
		require.Equal(v.t, want, outcomes(steps))
	}
	v.settle()
}

func trailerBeforeFailure(v *version) {
	steps, _, err := v.withTrailer("ForeignMiddle", request("n3", fails(0)))
	require.Equal(v.t, codes.Unavailable, codeOf(err))
	require.Equal(v.t, "entrypoint error, n1 ok", outcomes(steps))
	v.settle()
}

// trailerForged has who holds the token of a request reply for it.
func trailerForged(v *version) {
	entry := func(node string) string { return node + ";1714979289123456;12;3400;00f067aa0ba902b7;ok" }
	for forged, want := range map[string]string{
		entry("elsewhere"):                    "entrypoint ok",
		"foreign;1;;;;,\x01,,;;;;;;":          "entrypoint ok",
		strings.Repeat(entry("foreign"), 300): "entrypoint ok",
		strings.Repeat("foreign,", 40) + "x":  "entrypoint ok",
		entry("foreign"):                      "entrypoint ok, foreign ok",
	} {
		ctx := metadata.AppendToOutgoingContext(v.t.Context(), "krt-trace", "1")
		var trailer metadata.MD
		h := v.hold(ctx, grpc.Trailer(&trailer))
		v.reply(h, "/reply", "true", func(e *event.Event) { e.Steps = event.Steps(forged) })
		reply, err := v.callOf(h)
		require.NoError(v.t, err)
		require.Equal(v.t, "true", reply.GetText())
		steps := event.Steps(strings.Join(trailer.Get("krt-steps"), "")).AppendTo(nil)
		require.Equal(v.t, want, outcomes(steps))
		for _, s := range steps {
			require.False(v.t, s.Start.Before(steps[0].Start), "a step before its request")
		}
		h.release()
	}
	v.settle()
}

func trailerRetry(v *version) {
	const series = `krt_step_attempts_total{node="foreign",result="retried",workflow="foreignmiddle"}`
	before := v.metric(series)
	steps, _, err := v.withTrailer("ForeignMiddle", request("n3", fails(2)))
	require.NoError(v.t, err)
	require.Equal(v.t, "entrypoint ok, n1 ok, n3 ok", outcomes(steps), "the foreign node reports nothing")
	if !v.Delivery().HasChannels() {
		require.InDelta(v.t, 2, v.metric(series)-before, 0.1)
	}
}
