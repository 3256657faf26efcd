package conformance_test

import (
	"net/http"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance/node"
)

func stepsCases() []testCase {
	return []testCase{
		{name: "steps: each node reports itself behind those before", run: stepsInOrder},
		{name: "steps: what came before a node stays as it was", run: stepsStay},
		{name: "steps: the span of a step is the one that its handler continues", run: stepsSpan},
		{name: "steps: a sampled request's step names the span that called its node", run: stepsCaller,
			local: "there the proxy in front of the node may put a span of its own into the header"},
		{name: "steps: a node that returns nothing behind a reply reports that", run: stepsSilent},
		{name: "inspection: a node passes on that its request is inspected", run: stepsInspected},
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

func stepsCaller(v *version) {
	attribute, hop := event.NewTrace(traceParent, ""), event.NewTrace(traceParent, "").Child([8]byte{1})
	for name, c := range map[string]struct{ attribute, header, want event.Trace }{
		"the header's":           {attribute, hop, hop},
		"one not sampled":        {attribute, hop.WithSampled(false), attribute},
		"no header":              {attribute, event.Trace{}, attribute},
		"a request not recorded": {attribute.WithSampled(false), hop, event.Trace{}},
		"no trace":               {},
	} {
		e, header := v.nodeEvent(request("n1")), http.Header{}
		e.Trace = c.attribute
		c.header.WriteHeader(header)
		got, err := v.post(v.Node("n1"), e, header)
		require.NoError(v.t, err)
		step, ok := event.ReadSteps(got.header).Last()
		require.True(v.t, ok, name)
		require.Equal(v.t, c.want.Span(), step.Parent, name)
	}
}

func stepsSilent(v *version) {
	e := v.nodeEvent(request("n3", order("n1", node.Act_NONE, "")))
	e.Replied = true
	got, err := v.post(v.Node("n1"), e, nil)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusAccepted, got.status, got.body)
	require.Empty(v.t, got.header.Get("Ce-Specversion"))
	step, ok := event.ReadSteps(got.header).Last()
	require.True(v.t, ok)
	require.Equal(v.t, []any{"n1", event.OutcomeOK}, []any{step.Node, step.Outcome})
}

func stepsInspected(v *version) {
	for _, bound := range []int{0, 1, event.MostInspected} {
		e := v.nodeEvent(request("n3"))
		e.Inspect = bound
		got, err := v.post(v.Node("n1"), e, nil)
		require.NoError(v.t, err)
		out, err := event.ReadHeader(got.header)
		require.NoError(v.t, err)
		require.Equal(v.t, bound, out.Inspect)
	}
}
