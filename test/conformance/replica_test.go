package conformance_test

import (
	"bytes"
	"net/http"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func replicaCases() []testCase {
	const name = "replicas: answered at the one, taken at the other: "
	return []testCase{
		{name: name + "the answer", on: conformance.Paired, run: pairedAnswer},
		{name: name + "early reply and exit", on: conformance.Paired, run: pairedReplies},
		{name: name + "error", on: conformance.Paired, run: pairedError},
		{name: name + "dead letter", on: conformance.Paired, run: failingStep("ForeignMiddle", "n1", "foreign", "n3")},
		{name: name + "not passed on twice", on: conformance.Paired, run: passedOnOnce},
	}
}

func (v *version) forwarded() float64 { return v.metric("krt_replies_forwarded_total") }

// untilForwarded does what it is given until an answer was passed on because of
// it: at once, but on a cluster. There a Service chooses the replica that is told
// an answer, and who tells it stays with that one as long as connections live: so
// the replicas are called in turn.
func (v *version) untilForwarded(call func()) {
	v.t.Helper()
	before, tries := v.forwarded(), 1
	if v.OnCluster() {
		tries = 10
	}
	for try := range tries {
		replicas := v.Replicas()
		v.conn = dial(v.t, replicas[try%len(replicas)])
		call()
		v.settle()
		if v.forwarded() > before {
			return
		}
	}
	require.Fail(v.t, "no answer was passed on")
}

func pairedAnswer(v *version) {
	call := func() {
		in := request("n3")
		in.Payload = bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
		reply, err := v.call("Three", in)
		require.NoError(v.t, err)
		require.Equal(v.t, names(3), visited(reply))
		require.Equal(v.t, in.GetPayload(), reply.GetPayload())
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
	if !v.Delivery().HasChannels() { // the last step's answer goes to whoever called it
		call()
		return
	}
	v.untilForwarded(call)
}

func pairedReplies(v *version) {
	for _, act := range []node.Act{node.Act_EARLY_REPLY, node.Act_EXIT} {
		v.untilForwarded(func() {
			in := request("n3", order("n2", act, act.String()))
			reply, err := v.call("Three", in)
			require.NoError(v.t, err)
			require.Equal(v.t, act.String(), reply.GetText())
			require.Equal(v.t, []int{1, 1}, v.runs(in, "n1", "n2"))
		})
	}
}

func pairedError(v *version) {
	v.untilForwarded(func() {
		in := request("n3", order("n2", node.Act_FAIL, "no such room"))
		_, err := v.call("Three", in)
		v.failed(err, codes.Internal, "error in 'n2': no such room", "Three", "n2")
		v.settle()
		require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
	})
}

func passedOnOnce(v *version) {
	h := v.hold(v.t.Context())
	before := v.forwarded()
	got, err := v.post(v.Reply()+"/reply", h.event, http.Header{"Krt-Forwarded": {"1"}})
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusAccepted, got.status)
	require.InDelta(v.t, before, v.forwarded(), 0)
	h.release()
	_, err = v.callOf(h)
	require.NoError(v.t, err)
}
