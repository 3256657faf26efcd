package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func streamCases() []testCase {
	return slices.Concat(streamMessageCases(), streamEndCases(), streamLimitCases(), streamOutageCases(), streamWebCases(), streamSeenCases())
}

func streamMessageCases() []testCase {
	return []testCase{
		{name: "stream: a handler that returns one message", run: streamOfOne},
		{name: "stream: 100 messages in order", run: streamOf100},
		{name: "stream: the first message comes before the handler ends", run: firstComesAtOnce},
		{name: "stream: the progress of earlier nodes, then the last one's messages", run: progressOfAll},
		{name: "stream: what a generator returns is the last message", run: generatorsReturn},
		{name: "stream: an empty one", run: emptyStream},
		{name: "stream: behind a node that is not a runner", run: streamBehindForeign},
		{name: "stream: a slow client holds the handler", run: slowClient},
		{name: "stream: many of 100 messages at once, each its own", run: manyStreams,
			local: "it is about order in one process; TestStreamsOfClientsThatDoNotRead in test/hostile measures memory"},
	}
}

// stream is a call of a streaming rpc over gRPC.
type stream struct {
	v *version
	grpc.ClientStream
	over error // the deadline had passed before the call had begun
}

// streaming begins a call of a streaming rpc. That ctx has ended before is what its first message says.
func (v *version) streaming(ctx context.Context, rpc string, in *node.Request) *stream {
	v.t.Helper()
	s, err := v.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/conformance.Entrypoint/"+rpc)
	if ctx.Err() != nil && err != nil {
		return &stream{v: v, over: err}
	}
	require.NoError(v.t, err)
	if err := s.SendMsg(in); !errors.Is(err, io.EOF) { // next returns the error of a call that is already over
		require.NoError(v.t, err)
	}
	require.NoError(v.t, s.CloseSend())
	return &stream{v: v, ClientStream: s}
}

// next is the next message; io.EOF after the last.
func (s *stream) next() (*node.Reply, error) {
	reply := &node.Reply{}
	if s.over != nil {
		return reply, s.over
	}
	return reply, s.RecvMsg(reply)
}

// expect reads one message, which has that text.
func (s *stream) expect(text string) {
	s.v.t.Helper()
	reply, err := s.next()
	require.NoError(s.v.t, err)
	require.Equal(s.v.t, text, reply.GetText())
}

// rest reads all that is left, and returns the messages' texts and what ended them; no
// error if nothing but the end did.
func (s *stream) rest() (texts []string, err error) {
	for {
		reply, err := s.next()
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err != nil {
			return texts, err
		}
		texts = append(texts, reply.GetText())
	}
}

// streamed makes the call and returns the texts of its messages and what ended them.
func (v *version) streamed(rpc string, in *node.Request) ([]string, error) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	return v.streaming(ctx, rpc, in).rest()
}

// streams orders a node to send count messages text-0, text-1, …, as act does it.
func streams(name string, act node.Act, text string, count int) *node.Order {
	o := order(name, act, text)
	o.Number = int32(count)
	return o
}

// numbered are the texts of count messages.
func numbered(text string, count int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%d", text, i)
	}
	return all
}

func streamOfOne(v *version) {
	for rpc, last := range map[string]int{"StreamOne": 1, "StreamThree": 3} {
		in := request(names(last)[last-1])
		s := v.streaming(v.t.Context(), rpc, in)
		reply, err := s.next()
		require.NoError(v.t, err)
		require.Equal(v.t, names(last), visited(reply))
		rest, err := s.rest()
		require.NoError(v.t, err)
		require.Empty(v.t, rest)
		require.Equal(v.t, ones(last), v.runs(in, names(last)...))
	}
}

func streamOf100(v *version) {
	for _, act := range []node.Act{node.Act_YIELD, node.Act_SEND} {
		in := request("n3", streams("n3", act, "word", 100))
		got, err := v.streamed("StreamThree", in)
		require.NoError(v.t, err)
		want := numbered("word", 100)
		if act == node.Act_SEND {
			want = append(want, "") // what the handler returned
		}
		require.Equal(v.t, want, got)
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
}

func firstComesAtOnce(v *version) {
	gate := v.newGate("n3")
	in := request("n3", streams("n3", node.Act_YIELD, "first", 1), order("n3", node.Act_WAIT, gate),
		streams("n3", node.Act_YIELD, "second", 1))
	s := v.streaming(v.t.Context(), "StreamThree", in)
	s.expect("first-0")
	v.openGate("n3", gate)
	rest, err := s.rest()
	require.NoError(v.t, err)
	require.Equal(v.t, []string{"second-0"}, rest)
}

func progressOfAll(v *version) {
	in := request("n3", streams("n1", node.Act_SEND, "a", 2), streams("n2", node.Act_SEND, "b", 3), streams("n3", node.Act_YIELD, "c", 2))
	got, err := v.streamed("StreamThree", in)
	require.NoError(v.t, err)
	require.Equal(v.t, []string{"a-0", "a-1", "b-0", "b-1", "b-2", "c-0", "c-1"}, got)
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func generatorsReturn(v *version) {
	got, err := v.streamed("StreamThree", request("n3", streams("n3", node.Act_GENERATE, "g", 3)))
	require.NoError(v.t, err)
	require.Equal(v.t, append(numbered("g", 3), "g"), got)
}

func emptyStream(v *version) {
	in := request("n3", streams("n3", node.Act_YIELD, "", 0))
	got, err := v.streamed("StreamThree", in)
	require.NoError(v.t, err)
	require.Empty(v.t, got)
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func streamBehindForeign(v *version) {
	in := request("n3", streams("n1", node.Act_SEND, "a", 1), streams("n3", node.Act_YIELD, "b", 2))
	got, err := v.streamed("StreamForeignMiddle", in)
	require.NoError(v.t, err)
	require.Equal(v.t, []string{"a-0", "b-0", "b-1"}, got)
	require.Equal(v.t, ones(3), v.runs(in, "n1", "foreign", "n3"))
}

// large orders a node to yield more than all the buffers on the way hold.
func large(name string) *node.Order {
	o := streams(name, node.Act_YIELD, "large", 64)
	o.Size = 1 << 20
	return o
}

// stalls waits until the node sends nothing more for the request, though it has not
// sent all, and returns how much it has sent.
func (v *version) stalls(in *node.Request, name string) (sent int) {
	v.t.Helper()
	const enough = 100 // looks at the node that find it where it was
	for same := 0; same < enough; same++ {
		now := v.noted(in, name, node.Sent)
		if now != sent {
			sent, same = now, 0
		}
	}
	return sent
}

// noted counts what the node has noted of the request.
func (v *version) noted(in *node.Request, name, note string) int {
	return strings.Count(strings.Join(v.records(name, in.GetId()), "\n"), note)
}

func slowClient(v *version) {
	v.asksBeside("n3")
	in := request("n3", large("n3"))
	s := v.streaming(v.t.Context(), "StreamThree", in)
	s.expect("large-0")
	require.Less(v.t, v.stalls(in, "n3"), 64, "the handler has sent all to a client that does not read")
	rest, err := s.rest()
	require.NoError(v.t, err)
	require.Equal(v.t, numbered("large", 64)[1:], rest)
}

func manyStreams(v *version) {
	if v.Language() == conformance.Python {
		v.t.Skip("a Python worker has one stream at a time: Go nodes only")
	}
	const length = 100
	ended := make(chan error, callers)
	for i := range callers {
		go func() {
			name := fmt.Sprint("caller ", i)
			s, err := v.conn.NewStream(v.t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/conformance.Entrypoint/StreamThree")
			if err == nil {
				err = s.SendMsg(&node.Request{Last: "n3", Orders: []*node.Order{streams("n3", node.Act_YIELD, name, length)}})
			}
			if err == nil {
				err = s.CloseSend()
			}
			var got []string
			if err == nil {
				got, err = (&stream{v: v, ClientStream: s}).rest()
			}
			if err == nil && !slices.Equal(numbered(name, length), got) {
				err = fmt.Errorf("%s got %q", name, got)
			}
			ended <- err
		}()
	}
	for range callers {
		require.NoError(v.t, <-ended)
	}
}
