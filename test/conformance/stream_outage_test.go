package conformance_test

import (
	"net/http"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func streamOutageCases() []testCase {
	const (
		trouble = "; the reply port breaks"
		proxied = "what breaks the reply port is put in front of it by a rule of the node: on the cluster of `make cluster`"
		again   = "who calls each step knows that it has sent messages (Direct); " +
			"a channel does not, and its second delivery is refused the stream"
	)
	return []testCase{
		{name: "stream: a process that dies in the middle cuts it", run: cutInTheMiddle, differs: again},
		{name: "stream: a process that dies before its first message is tried again", run: diesBeforeMessage,
			local: "a Go node's process is its container: it may be back later than the last retry", localTo: conformance.Go},
		{name: "stream: a second delivery finds it taken", run: secondDelivery},
		{name: "stream: taken at the other replica", on: conformance.Paired, run: pairedStream},
		{name: "stream: nothing comes twice" + trouble, on: conformance.Unsteady, run: unsteadyStream, local: proxied},
	}
}

func cutInTheMiddle(v *version) {
	gate := v.newGate(mortal)
	in := request(mortal, streams(mortal, node.Act_SEND, "word", 3), order(mortal, node.Act_WAIT, gate), order(mortal, node.Act_DIE, ""))
	s := v.streaming(v.t.Context(), "StreamTwo", in)
	for _, text := range numbered("word", 3) {
		s.expect(text)
	}
	v.openGate(mortal, gate)
	rest, err := s.rest()
	require.Empty(v.t, rest)
	require.Equal(v.t, event.ReasonUnavailable, v.failed(err, codes.Unavailable, "", "StreamTwo", mortal))
	v.settle()
	v.awaitReady(mortal)
	runs := v.runs(in, "n1", mortal)
	require.Equal(v.t, 1, runs[0])
	if v.Delivery() == conformance.Direct {
		require.Equal(v.t, 1, runs[1])
	}
}

func diesBeforeMessage(v *version) {
	die := order(mortal, node.Act_DIE, "")
	die.Times = 1
	in := request(mortal, die, streams(mortal, node.Act_YIELD, "word", 3))
	got, err := v.streamed("StreamTwo", in)
	require.NoError(v.t, err)
	require.Equal(v.t, numbered("word", 3), got)
	require.Equal(v.t, []int{1, 2}, v.runs(in, "n1", mortal))
}

// secondDelivery delivers the event of the last node a second time, while the first
// delivery streams.
func secondDelivery(v *version) {
	gate := v.newGate("n3")
	in := request("n3", streams("n3", node.Act_YIELD, "word", 1), order("n3", node.Act_WAIT, gate), streams("n3", node.Act_YIELD, "last", 1))
	s := v.streaming(v.t.Context(), "StreamForeignMiddle", in)
	s.expect("word-0")
	heard, err := event.ReadHeader(v.heard(in)[0].Header)
	require.NoError(v.t, err)
	message, data, err := event.Encode(in)
	require.NoError(v.t, err)
	again := heard.Next(event.Source(v.Namespace(), v.Version(), "foreign"), event.TypeMessage, message, data)
	got, err := v.post(v.Node("n3"), again, nil)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusAccepted, got.status, got.body)
	v.openGate("n3", gate)
	rest, err := s.rest()
	require.NoError(v.t, err)
	require.Equal(v.t, numbered("last", 1), rest)
	require.Equal(v.t, []int{2}, v.runs(in, "n3"))
}

func pairedStream(v *version) {
	v.untilForwarded(func() {
		in := request("n3", streams("n1", node.Act_SEND, "a", 3), streams("n2", node.Act_SEND, "b", 100), streams("n3", node.Act_YIELD, "c", 100))
		got, err := v.streamed("StreamThree", in)
		require.NoError(v.t, err)
		require.Equal(v.t, append(append(numbered("a", 3), numbered("b", 100)...), numbered("c", 100)...), got)
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	})
}

func unsteadyStream(v *version) {
	for _, last := range [][]*node.Order{
		{streams("n3", node.Act_YIELD, "c", 3)},
		{},
	} {
		in := request("n3", append(last, streams("n1", node.Act_SEND, "a", 2), streams("n2", node.Act_SEND, "b", 2))...)
		got, err := v.streamed("StreamThree", in)
		require.NoError(v.t, err)
		want := append(numbered("a", 2), numbered("b", 2)...)
		if len(last) > 0 {
			want = append(want, numbered("c", 3)...)
		} else {
			want = append(want, "")
		}
		require.Equal(v.t, want, got)
		v.settle()
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
}
