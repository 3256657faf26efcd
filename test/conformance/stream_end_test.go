package conformance_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func streamEndCases() []testCase {
	return []testCase{
		{name: "stream: an error after three messages", run: errorAfterMessages},
		{name: "stream: an early reply ends it, the workflow goes on", run: replyEndsStream},
		{name: "stream: an early reply of a last node that has sent", run: replyOfAStream},
		{name: "stream: an early exit is the stream", run: exitIsStream},
		{name: "stream: cancel reaches the handler between messages", run: cancelsStream},
		{name: "stream: cancel reaches a handler that waits for the client", run: cancelsSend},
		{name: "stream: a message of another type than the rpc's", run: wrongMessage},
		{name: "stream: a handler that sends in a unary rpc", run: sendInUnary},
	}
}

func streamLimitCases() []testCase {
	const setting = "the limits of streams are a Runtime's, for all its versions"
	return []testCase{
		{name: "stream: the client's deadline ends it; the node is cancelled", run: streamDeadline, on: conformance.Hasty},
		{name: "stream: the version's deadline, if the client has none", run: streamsOwnDeadline, on: conformance.Hasty, local: setting},
		{name: "stream: no message for too long ends it", run: streamIdle, on: conformance.Hasty, local: setting},
		{name: "stream: more messages than a call may have", run: tooManyMessages, on: conformance.Hasty, local: setting},
		{name: "stream: a message above the limit after two", run: messageTooLarge},
	}
}

func errorAfterMessages(v *version) {
	in := request("n3", streams("n3", node.Act_YIELD, "word", 3), order("n3", node.Act_FAIL, "no such room"))
	got, err := v.streamed("StreamThree", in)
	require.Equal(v.t, numbered("word", 3), got)
	v.failed(err, codes.Internal, "error in 'n3': no such room", "StreamThree", "n3")
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))

	in = request("n3", streams("n2", node.Act_SEND, "word", 3), order("n2", node.Act_FAIL, "no such room"))
	got, err = v.streamed("StreamThree", in)
	require.Equal(v.t, numbered("word", 3), got)
	v.failed(err, codes.Internal, "error in 'n2': no such room", "StreamThree", "n2")
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
}

func replyEndsStream(v *version) {
	gate := v.newGate("n2")
	in := request("n3", streams("n2", node.Act_SEND, "word", 2), order("n2", node.Act_EARLY_REPLY, "early"),
		order("n2", node.Act_WAIT, gate), streams("n3", node.Act_YIELD, "nobody", 3))
	got, err := v.streamed("StreamThree", in)
	require.NoError(v.t, err)
	require.Equal(v.t, []string{"word-0", "word-1", "early"}, got)
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...), "the node is still at work")
	v.openGate("n2", gate)
	v.awaitRuns(in, "n3", 1)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func replyOfAStream(v *version) {
	gate := v.newGate("n3")
	in := request("n3", streams("n3", node.Act_SEND, "word", 2), order("n3", node.Act_EARLY_REPLY, "early"), order("n3", node.Act_WAIT, gate))
	got, err := v.streamed("StreamThree", in)
	require.NoError(v.t, err)
	require.Equal(v.t, []string{"word-0", "word-1", "early"}, got)
	v.openGate("n3", gate)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func exitIsStream(v *version) {
	in := request("n3", streams("n1", node.Act_SEND, "a", 1), streams("n2", node.Act_SEND, "b", 2), order("n2", node.Act_EXIT, "bye"))
	got, err := v.streamed("StreamThree", in)
	require.NoError(v.t, err)
	require.Equal(v.t, []string{"a-0", "b-0", "b-1", "bye"}, got)
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
}

func cancelsStream(v *version) {
	for _, name := range []string{"n2", "n3"} {
		v.asksBeside(name)
		in := request("n3", streams(name, node.Act_SEND, "word", 1), order(name, node.Act_HANG, ""))
		ctx, cancel := context.WithCancel(v.t.Context())
		s := v.streaming(ctx, "StreamThree", in)
		s.expect("word-0")
		cancel()
		_, err := s.rest()
		require.Equal(v.t, codes.Canceled, codeOf(err))
		v.awaitCancelled(in, name)
		v.settle()
	}
}

func cancelsSend(v *version) {
	v.asksBeside("n3")
	for _, act := range []node.Act{node.Act_YIELD, node.Act_SEND} {
		all := large("n3")
		all.Act = act
		in := request("n3", all)
		ctx, cancel := context.WithCancel(v.t.Context())
		s := v.streaming(ctx, "StreamThree", in)
		s.expect("large-0")
		v.stalls(in, "n3")
		cancel()
		v.awaitCancelled(in, "n3")
		v.settle()
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
}

func wrongMessage(v *version) {
	for _, act := range []node.Act{node.Act_WRONG, node.Act_SEND_WRONG} {
		in := request("n3", streams("n3", node.Act_SEND, "word", 2), order("n3", act, "x"))
		got, err := v.streamed("StreamThree", in)
		require.Equal(v.t, numbered("word", 2), got)
		require.Equal(v.t, event.ReasonWrongOutput, v.failed(err, codes.Internal, "", "StreamThree", "n3"))
		require.Contains(v.t, err.Error(), "error in 'n3': ")
		require.Contains(v.t, err.Error(), "google.protobuf.StringValue")
		require.Contains(v.t, err.Error(), "conformance.Reply")
		v.settle()
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
}

func sendInUnary(v *version) {
	for _, act := range []node.Act{node.Act_SEND, node.Act_YIELD, node.Act_GENERATE} {
		in := request("n3", streams("n2", act, "word", 2))
		_, err := v.call("Three", in)
		v.failed(err, codes.Internal, "", "Three", "n2")
		require.Contains(v.t, err.Error(), "error in 'n2': ")
		require.True(v.t, strings.Contains(err.Error(), "unary") || strings.Contains(err.Error(), "returns one"), err)
		v.settle()
		require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
	}
}

func streamDeadline(v *version) {
	limit := shortPause / 2
	v.inTime("no message came before the deadline", func() bool {
		in := request("n3", streams("n3", node.Act_YIELD, "word", 1), order("n3", node.Act_HANG, ""))
		ctx, cancel := context.WithTimeout(v.t.Context(), limit)
		limit += shortPause / (3 * attempts)
		got, err := v.streaming(ctx, "StreamThree", in).rest()
		cancel()
		require.Equal(v.t, codes.DeadlineExceeded, codeOf(err))
		v.settle()
		if len(got) == 0 {
			return false
		}
		require.Equal(v.t, numbered("word", 1), got)
		v.awaitCancelled(in, "n3")
		return true
	})
}

func streamsOwnDeadline(v *version) {
	v.untilReached("n2", func(in *node.Request) {
		got, err := v.streaming(v.t.Context(), "StreamThree", in).rest()
		require.Empty(v.t, got)
		require.Equal(v.t, event.ReasonDeadline, v.failed(err, codes.DeadlineExceeded, "", "StreamThree", atWork(v, "n2")))
	})
}

// streamedInTime streams until messages have come and no deadline but the expected one has ended the stream: on a
// busy machine, that of the hasty version's requests may pass before.
func (v *version) streamedInTime(in func() *node.Request, expected string) (sent *node.Request, got []string, err error) {
	v.t.Helper()
	v.inTime(fmt.Sprintf("a limit other than %q has come first", expected), func() bool {
		sent = in()
		got, err = v.streamed("StreamThree", sent)
		if len(got) > 0 && (codeOf(err) != codes.DeadlineExceeded || strings.Contains(err.Error(), expected)) {
			return true
		}
		v.t.Log("another limit came first:", err)
		v.settle()
		return false
	})
	return sent, got, err
}

func streamIdle(v *version) {
	in, got, err := v.streamedInTime(func() *node.Request {
		return request("n3", streams("n3", node.Act_YIELD, "word", 1), order("n3", node.Act_HANG, ""))
	}, "message for "+shortPause.String())
	require.Equal(v.t, numbered("word", 1), got)
	require.Equal(v.t, codes.DeadlineExceeded, codeOf(err))
	v.awaitCancelled(in, "n3")
	v.settle()
}

func tooManyMessages(v *version) {
	const none = "no deadline"
	words := func(count int) func() *node.Request {
		return func() *node.Request { return request("n3", streams("n3", node.Act_YIELD, "word", count)) }
	}
	_, got, err := v.streamedInTime(words(mostMessages), none)
	require.NoError(v.t, err)
	require.Equal(v.t, numbered("word", mostMessages), got)
	in, got, err := v.streamedInTime(words(mostMessages+1), none)
	require.Equal(v.t, numbered("word", mostMessages), got)
	require.Equal(v.t, event.ReasonStreamLimit, v.failed(err, codes.ResourceExhausted, "", "StreamThree", "n3"))
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func messageTooLarge(v *version) {
	for _, name := range []string{"n2", "n3"} {
		big := streams(name, node.Act_SEND, "big", 1)
		big.Size = limit + 1
		in := request("n3", streams(name, node.Act_SEND, "word", 2), big)
		got, err := v.streamed("StreamThree", in)
		require.Equal(v.t, numbered("word", 2), got)
		require.Equal(v.t, event.ReasonTooLarge, v.failed(err, codes.ResourceExhausted, "", "StreamThree", name))
		v.settle()
	}
}
