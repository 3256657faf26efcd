package conformance_test

import (
	"strings"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func answerCases() []testCase {
	return []testCase{
		{name: "early reply: the caller is answered at once, the workflow goes on", run: earlyReply},
		{name: "early reply: later answers are dropped", run: laterAnswersAreDropped},
		{name: "early reply: stands though the handler fails then", run: earlyReplyThenError},
		{name: "early exit: is the answer, no further node runs", run: earlyExit},
		{name: "early exit: of the first node", run: earlyExitOfTheFirst},
		{name: "error: INTERNAL naming the node, no retry, no further node", run: handlerFails},
		{name: "error: in the last node", run: lastHandlerFails},
		{name: "error: any text reaches the caller, within bounds", run: errorTexts},
		{name: "panic: is an error of the node, which lives on", run: handlerPanics},
		{name: "output: another type than the rpc's says due and came", run: wrongType},
		{name: "output: none at all", run: noMessage},
	}
}

func earlyReply(v *version) {
	gate := v.newGate("n2")
	in := request("n3", order("n2", node.Act_EARLY_REPLY, "early"), order("n2", node.Act_WAIT, gate))
	reply, err := v.call("Three", in)
	require.NoError(v.t, err)
	require.Equal(v.t, "early", reply.GetText())
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...), "the node is still at work")
	v.openGate("n2", gate)
	v.awaitRuns(in, "n3", 1)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func laterAnswersAreDropped(v *version) {
	in := request("n3", order("n1", node.Act_EARLY_REPLY, "first"), order("n2", node.Act_EARLY_REPLY, "second"),
		order("n3", node.Act_EXIT, "third"))
	reply, err := v.call("Three", in)
	require.NoError(v.t, err)
	require.Equal(v.t, "first", reply.GetText())
	v.awaitRuns(in, "n3", 1)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func earlyReplyThenError(v *version) {
	in := request("n3", order("n2", node.Act_EARLY_REPLY, "early"), order("n2", node.Act_FAIL, "afterwards"))
	reply, err := v.call("Three", in)
	require.NoError(v.t, err)
	require.Equal(v.t, "early", reply.GetText())
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
}

func earlyExit(v *version) {
	in := request("n3", order("n2", node.Act_EXIT, "bye"))
	reply, err := v.call("Three", in)
	require.NoError(v.t, err)
	require.Equal(v.t, "bye", reply.GetText())
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
}

func earlyExitOfTheFirst(v *version) {
	in := request("n12", order("n1", node.Act_EXIT, "bye"))
	reply, err := v.call("Twelve", in)
	require.NoError(v.t, err)
	require.Equal(v.t, "bye", reply.GetText())
	v.settle()
	require.Equal(v.t, []int{1, 0, 0}, v.runs(in, "n1", "n2", "n12"))
}

func handlerFails(v *version) {
	in := request("n3", order("n2", node.Act_FAIL, "no such room"))
	_, err := v.call("Three", in)
	reason := v.failed(err, codes.Internal, "error in 'n2': no such room", "Three", "n2")
	require.Equal(v.t, event.ReasonHandlerError, reason)
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
}

func lastHandlerFails(v *version) {
	in := request("n3", order("n3", node.Act_FAIL, "at the very end"))
	_, err := v.call("Three", in)
	v.failed(err, codes.Internal, "error in 'n3': at the very end", "Three", "n3")
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func errorTexts(v *version) {
	for given, want := range map[string]string{
		"à la carte: 猫 \"%41\"\n\ttwo lines": "error in 'n1': à la carte: 猫 \"%41\"\n\ttwo lines",
		strings.Repeat("x", 20_000):          "",
	} {
		_, err := v.call("One", request("n1", order("n1", node.Act_FAIL, given)))
		v.failed(err, codes.Internal, want, "One", "n1")
		require.Contains(v.t, err.Error(), "error in 'n1': "+given[:5])
		require.Less(v.t, len(err.Error()), 4096)
	}
}

func handlerPanics(v *version) {
	in := request("n3", order("n1", node.Act_PANIC, "boom"))
	text, want := "error in 'n1': panic: boom", event.ReasonHandlerPanic
	if v.Language() == conformance.Python { // where panics are exceptions
		text, want = "error in 'n1': boom", event.ReasonHandlerError
	}
	_, err := v.call("Three", in)
	require.Equal(v.t, want, v.failed(err, codes.Internal, text, "Three", "n1"))
	v.settle()
	require.Equal(v.t, []int{1, 0, 0}, v.runs(in, names(3)...))
	_, err = v.call("Three", request("n3"))
	require.NoError(v.t, err)
}

func wrongType(v *version) {
	in := request("n3", order("n3", node.Act_WRONG, "x"))
	_, err := v.call("Three", in)
	text := "error in 'n3': expected conformance.Reply as the response of rpc conformance.Entrypoint/Three, got google.protobuf.StringValue"
	require.Equal(v.t, event.ReasonWrongOutput, v.failed(err, codes.Internal, text, "Three", "n3"))
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func noMessage(v *version) {
	in := request("n3", order("n2", node.Act_NONE, ""))
	text := "error in 'n2': the handler returned no message"
	if v.Language() == conformance.Python {
		text = "error in 'n2': handler returned nothing (None): it must return a protobuf message"
	}
	_, err := v.call("Three", in)
	require.Equal(v.t, event.ReasonWrongOutput, v.failed(err, codes.Internal, text, "Three", "n2"))
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
}
