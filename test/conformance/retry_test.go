package conformance_test

import (
	"net/http"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func retryCases() []testCase {
	const (
		trouble = "; the reply port breaks"
		proxied = "what breaks the reply port is put in front of it by a rule of the node: on the cluster of `make cluster`"
	)
	return []testCase{
		{name: "retry: a node that comes back answers; same event id", run: comesBack},
		{name: "retry: step 1 failing", run: failingStep("ForeignFirst", "foreign", "n1")},
		{name: "retry: step 3 failing multiplies no step before it", run: failingStep("ForeignLast", "n1", "n2", "foreign")},
		{name: "retry: an answer is posted again" + trouble, on: conformance.Unsteady, run: unsteadySuccess, local: proxied},
		{name: "retry: an early reply is posted again, no handler runs again" + trouble, on: conformance.Unsteady, run: unsteadyEarlyReply,
			local: proxied},
		{name: "retry: an exit is posted again, no handler runs again" + trouble, on: conformance.Unsteady, run: unsteadyExit, local: proxied},
		{name: "retry: an error is posted again, no handler runs again" + trouble, on: conformance.Unsteady, run: unsteadyError, local: proxied},
		{name: "retry: a dead letter is posted again, no step is" + trouble, on: conformance.Unsteady,
			run: failingStep("ForeignMiddle", "n1", "foreign", "n3"), local: proxied},
	}
}

// fails orders the foreign node to answer 500; times as in Order.
func fails(times int32) *node.Order {
	return &node.Order{Node: "foreign", Act: node.Act_STATUS, Number: http.StatusInternalServerError, Text: "no", Times: times}
}

func comesBack(v *version) {
	in := request("n3", fails(2))
	reply, err := v.call("ForeignMiddle", in)
	require.NoError(v.t, err)
	require.Equal(v.t, []string{"n1", "n3"}, visited(reply))
	require.Equal(v.t, []int{1, 3, 1}, v.runs(in, "n1", "foreign", "n3"))
	ids := map[string]bool{}
	for _, heard := range v.heard(in) {
		ids[heard.Header.Get("Ce-Source")+" "+heard.Header.Get("Ce-Id")] = true
	}
	require.Len(v.t, ids, 1)
}

// failingStep has the foreign node fail for ever: it is tried 1+retries times,
// those before it have run once, those after it never.
func failingStep(rpc string, steps ...string) func(*version) {
	return func(v *version) {
		in := request(steps[len(steps)-1], fails(0))
		_, err := v.call(rpc, in)
		v.failed(err, codes.Unavailable, `node "foreign" responded with HTTP 500: no`, rpc, "foreign")
		v.settle()
		want, count := make([]int, len(steps)), 1
		for i, name := range steps {
			want[i] = count
			if name == "foreign" {
				want[i], count = 1+retries, 0
			}
		}
		require.Equal(v.t, want, v.runs(in, steps...))
	}
}

func unsteadySuccess(v *version) {
	in := request("n3")
	reply, err := v.call("Three", in)
	require.NoError(v.t, err)
	require.Equal(v.t, names(3), visited(reply))
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func unsteadyEarlyReply(v *version) {
	before := v.dropped("late", "duplicate")
	in := request("n3", order("n2", node.Act_EARLY_REPLY, "early"))
	reply, err := v.call("Three", in)
	require.NoError(v.t, err)
	require.Equal(v.t, "early", reply.GetText())
	v.awaitRuns(in, "n3", 1)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	v.awaitDropped(before)
}

func unsteadyExit(v *version) {
	before := v.dropped("late", "duplicate")
	in := request("n3", order("n2", node.Act_EXIT, "bye"))
	reply, err := v.call("Three", in)
	require.NoError(v.t, err)
	require.Equal(v.t, "bye", reply.GetText())
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
	v.awaitDropped(before)
}

func unsteadyError(v *version) {
	before := v.dropped("late", "duplicate")
	in := request("n3", order("n2", node.Act_FAIL, "bad input"))
	_, err := v.call("Three", in)
	v.failed(err, codes.Internal, "error in 'n2': bad input", "Three", "n2")
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
	v.awaitDropped(before)
}

// awaitDropped waits until more answers have been dropped than before, as the
// second copy of one must be.
func (v *version) awaitDropped(before float64) {
	v.await(func(c *assert.CollectT) {
		require.Greater(c, v.dropped("late", "duplicate"), before)
	})
}
