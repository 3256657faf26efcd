package conformance_test

import (
	"net/http"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/runner/event"
)

func stepsCases() []testCase {
	return []testCase{
		{name: "steps: each node reports itself behind those before", run: stepsInOrder},
		{name: "steps: what came before a node stays as it was", run: stepsStay},
		{name: "steps: the span of a step is the one that its handler continues", run: stepsSpan},
	}
}

// stepsInOrder asks the last node, which is no runner of ours, what it got.
func stepsInOrder(v *version) {
	in := request("foreign")
	_, err := v.call("ForeignLast", in)
	require.NoError(v.t, err)
	e, err := event.ReadHeader(v.heard(in)[0].Header)
	require.NoError(v.t, err)
	steps := e.Steps.AppendTo(nil)
	require.Len(v.t, steps, 2, e.Steps)
	require.NotEqual(v.t, steps[0].SpanID, steps[1].SpanID)
	for i, step := range steps {
		require.Equal(v.t, names(2)[i], step.Node)
		require.Equal(v.t, event.OutcomeOK, step.Outcome)
		require.NotZero(v.t, step.SpanID)
	}
}

func stepsStay(v *version) {
	for _, before := range []event.Steps{"", "n9;1714979289123456;12;3400;00f067aa0ba902b7;reply;c", "not;well;formed"} {
		e := v.nodeEvent(request("n1"))
		e.Steps = before
		got, err := v.post(v.Node("n1"), e, nil)
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusOK, got.status, got.body)
		out, err := event.ReadHeader(got.header)
		require.NoError(v.t, err)
		step, ok := out.Steps.Last()
		require.True(v.t, ok, out.Steps)
		require.Equal(v.t, before.Append(step), out.Steps)
		require.Equal(v.t, "n1", step.Node)
	}
}

func stepsSpan(v *version) {
	in := request("foreign")
	ctx := metadata.AppendToOutgoingContext(v.t.Context(), "traceparent", traceParent)
	reply, err := v.callContext(ctx, "ForeignLast", in)
	require.NoError(v.t, err)
	e, err := event.ReadHeader(v.heard(in)[0].Header)
	require.NoError(v.t, err)
	steps := e.Steps.AppendTo(nil)
	require.Len(v.t, reply.GetVisits(), len(steps))
	for i, visit := range reply.GetVisits() {
		require.Equal(v.t, event.NewTrace(traceParent, "").Child(steps[i].SpanID).Parent, visit.GetTraceParent())
	}
}
