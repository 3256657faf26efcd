package conformance_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/conformance/node"
)

func successCases() []testCase {
	return []testCase{
		{name: "success: 1 step", run: succeeds("One", 1)},
		{name: "success: 3 steps in order", run: succeeds("Three", 3)},
		{name: "success: 12 steps in order", run: succeeds("Twelve", 12)},
		{name: "success: a handler knows its call", run: handlersKnowTheirCall},
		{name: "success: a slow node answers late, others meanwhile", run: slowNodeAnswers},
	}
}

func succeeds(rpc string, steps int) func(*version) {
	return func(v *version) {
		in := request(names(steps)[steps-1])
		in.Payload = []byte("as it came")
		reply, err := v.call(rpc, in)
		require.NoError(v.t, err)
		require.Equal(v.t, names(steps), visited(reply))
		require.Equal(v.t, "as it came", string(reply.GetPayload()))
		require.Equal(v.t, ones(steps), v.runs(in, names(steps)...))
	}
}

func handlersKnowTheirCall(v *version) {
	reply, err := v.call("Three", request("n3"))
	require.NoError(v.t, err)
	first := reply.GetVisits()[0]
	require.Len(v.t, first.GetRequestId(), 32)
	for _, visit := range reply.GetVisits() {
		require.Equal(v.t, v.Version(), visit.GetVersion())
		require.Equal(v.t, "three", visit.GetWorkflow())
		require.Equal(v.t, first.GetRequestId(), visit.GetRequestId(), "the request's id is the same in all steps")
		require.Equal(v.t, first.GetDeadline().AsTime().Truncate(time.Microsecond), visit.GetDeadline().AsTime().Truncate(time.Microsecond))
	}
	again, err := v.call("Three", request("n3"))
	require.NoError(v.t, err)
	require.NotEqual(v.t, first.GetRequestId(), again.GetVisits()[0].GetRequestId())
}

func slowNodeAnswers(v *version) {
	gate := v.newGate("n2")
	in := request("n3", order("n2", node.Act_WAIT, gate))
	slow := v.begin(v.t.Context(), "Three", in)
	v.awaitRuns(in, "n2", 1)
	reply, err := v.call("Three", request("n3"))
	require.NoError(v.t, err)
	require.Equal(v.t, names(3), visited(reply))
	v.openGate("n2", gate)
	got := <-slow
	require.NoError(v.t, got.err)
	require.Equal(v.t, names(3), visited(got.reply))
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}
