package conformance_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance/node"
)

// streamForm is a way to call a streaming rpc on the web port.
type streamForm struct {
	name     string
	header   http.Header
	to       encode
	from     func(v *version, a httpAnswer) (texts []string, failure string)
	contents string // content type of a response that is a stream
	status   bool   // of an error before the first message is the HTTP status
}

func streamForms() []streamForm {
	return []streamForm{
		{name: "Connect", header: http.Header{"Content-Type": {event.StreamType}, "Connect-Protocol-Version": {"1"}},
			to: asFrame, from: fromConnect(fromProto), contents: event.StreamType},
		{name: "Connect in JSON", header: http.Header{"Content-Type": {"application/connect+json"}, "Connect-Protocol-Version": {"1"}},
			to: asJSONFrame, from: fromConnect(fromJSON), contents: "application/connect+json"},
		{name: "gRPC-Web", header: http.Header{"Content-Type": {"application/grpc-web+proto"}},
			to: asFrame, from: fromGRPCWeb, contents: "application/grpc-web+proto"},
		{name: "Server-Sent Events", header: http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}},
			to: asJSON, from: fromEvents, contents: "text/event-stream", status: true},
		{name: "lines of JSON", header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
			to: asJSON, from: fromLines, contents: "application/x-ndjson", status: true},
	}
}

func streamWebCases() []testCase {
	var all []testCase
	for _, f := range streamForms() {
		all = append(all, testCase{name: "stream: web, " + f.name, run: f.try})
	}
	return append(all, testCase{name: "stream: event in and respond-async are refused, with what works", run: eventsAreRefused})
}

func streamSeenCases() []testCase {
	return []testCase{
		{name: "stream: steps in the trailer", run: streamTrailer},
		{name: "stream: inspected, it has the last message and how many there were", run: streamInspected},
		{name: "stream: its messages and the time to the first are counted", run: streamCounted},
	}
}

func asJSONFrame(v *version, in *node.Request) []byte {
	return event.AppendFrame(nil, asJSON(v, in))
}

// frames are the frames of a stream: of Connect and gRPC-Web.
func (v *version) frames(body string, each func(flags byte, payload string)) {
	v.t.Helper()
	for len(body) > 0 {
		require.GreaterOrEqual(v.t, len(body), event.FrameHeader)
		size := int(binary.BigEndian.Uint32([]byte(body[1:event.FrameHeader])))
		require.GreaterOrEqual(v.t, len(body), event.FrameHeader+size)
		each(body[0], body[event.FrameHeader:event.FrameHeader+size])
		body = body[event.FrameHeader+size:]
	}
}

func fromConnect(from decode) func(*version, httpAnswer) ([]string, string) {
	return func(v *version, a httpAnswer) (texts []string, failure string) {
		ended := false
		v.frames(a.body, func(flags byte, payload string) {
			require.False(v.t, ended, "a frame behind the end")
			if flags == 0 {
				texts = append(texts, from(v, payload).GetText())
				return
			}
			require.Equal(v.t, byte(2), flags)
			var end struct{ Error struct{ Message string } }
			require.NoError(v.t, json.Unmarshal([]byte(payload), &end), payload)
			ended, failure = true, end.Error.Message
		})
		require.True(v.t, ended, "the stream has no end")
		return texts, failure
	}
}

func fromGRPCWeb(v *version, a httpAnswer) (texts []string, failure string) {
	if a.body == "" { // nothing but trailers, as headers
		require.NotEmpty(v.t, a.header.Get("Grpc-Status"))
		return nil, a.header.Get("Grpc-Message")
	}
	ended := false
	v.frames(a.body, func(flags byte, payload string) {
		require.False(v.t, ended, "a frame behind the end")
		if flags == 0 {
			texts = append(texts, fromProto(v, payload).GetText())
			return
		}
		require.Equal(v.t, byte(0x80), flags)
		ended = true
		for line := range strings.SplitSeq(payload, "\r\n") {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "grpc-message") {
				failure = strings.TrimSpace(value)
			}
		}
	})
	require.True(v.t, ended, "the stream has no end")
	return texts, failure
}

func fromEvents(v *version, a httpAnswer) (texts []string, failure string) {
	blocks := strings.Split(strings.TrimSuffix(a.body, "\n\n"), "\n\n")
	for i, block := range blocks {
		fields := map[string]string{}
		for line := range strings.SplitSeq(block, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			fields[name] = value
		}
		switch fields["event"] {
		case "":
			require.Equal(v.t, fmt.Sprint(i+1), fields["id"])
			texts = append(texts, fromJSON(v, fields["data"]).GetText())
			continue
		case "error":
			failure = v.message(fields["data"])
		default:
			require.Equal(v.t, "end", fields["event"])
		}
		require.Len(v.t, blocks, i+1, "an event behind the end")
		return texts, failure
	}
	require.Fail(v.t, "the stream has no end", a.body)
	return nil, ""
}

func fromLines(v *version, a httpAnswer) (texts []string, failure string) {
	for line := range strings.Lines(a.body) {
		require.Empty(v.t, failure, "a line behind the end")
		var end struct{ Error json.RawMessage }
		if json.Unmarshal([]byte(line), &end) == nil && end.Error != nil {
			failure = v.message(string(end.Error))
			continue
		}
		texts = append(texts, fromJSON(v, line).GetText())
	}
	return texts, failure
}

// message is the message of an error in JSON.
func (v *version) message(text string) string {
	v.t.Helper()
	var failure struct {
		Message string
		Details []struct{ Type, Value string }
	}
	require.NoError(v.t, json.Unmarshal([]byte(text), &failure), text)
	require.Len(v.t, failure.Details, 1)
	require.Equal(v.t, "google.rpc.ErrorInfo", failure.Details[0].Type)
	_, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(failure.Details[0].Value, "="))
	require.NoError(v.t, err)
	return failure.Message
}

func (f streamForm) try(v *version) {
	const text = "error in 'n3': no such room"
	fail := order("n3", node.Act_FAIL, "no such room")
	words := func(count int) *node.Order { return streams("n3", node.Act_YIELD, "word", count) }
	for _, c := range []struct {
		orders   []*node.Order
		messages int
		failure  string
	}{{[]*node.Order{words(100)}, 100, ""}, {[]*node.Order{words(3), fail}, 3, text}, {[]*node.Order{fail}, 0, text}} {
		in := request("n3", c.orders...)
		got, err := v.send(http.MethodPost, v.Web()+"/conformance.Entrypoint/StreamThree", f.to(v, in), f.header)
		require.NoError(v.t, err)
		if c.messages == 0 && f.status {
			require.Equal(v.t, http.StatusInternalServerError, got.status, got.body)
			require.Equal(v.t, c.failure, v.message(got.body))
			continue
		}
		require.Equal(v.t, http.StatusOK, got.status, got.body)
		require.True(v.t, strings.HasPrefix(got.header.Get("Content-Type"), f.contents), got.header)
		texts, failure := f.from(v, got)
		require.Equal(v.t, numbered("word", c.messages), append([]string{}, texts...))
		require.Equal(v.t, c.failure, failure)
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
}

func eventsAreRefused(v *version) {
	in := request("n3", streams("n3", node.Act_YIELD, "word", 1))
	for _, prefer := range []string{"", "respond-async"} {
		header := producerHeader("application/protobuf", newID())
		if prefer != "" {
			header.Set("Prefer", prefer)
		}
		got, err := v.send(http.MethodPost, v.Web()+"/workflows/streamthree", asProto(v, in), header)
		require.NoError(v.t, err)
		require.Equal(v.t, http.StatusNotAcceptable, got.status, got.body)
		require.Contains(v.t, got.body, "text/event-stream")
		require.Contains(v.t, got.body, "/conformance.Entrypoint/StreamThree")
	}
	require.Equal(v.t, []int{0}, v.runs(in, "n1"))
	got, err := v.send(http.MethodPost, v.Web()+"/workflows/streamthree", asJSON(v, in),
		http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}})
	require.NoError(v.t, err)
	texts, failure := fromEvents(v, got)
	require.Equal(v.t, numbered("word", 1), texts)
	require.Empty(v.t, failure)
}

func streamTrailer(v *version) {
	for want, orders := range map[string][]*node.Order{
		"entrypoint ok, n1 ok, n2 ok, n3 ok":       {streams("n1", node.Act_SEND, "a", 2), streams("n3", node.Act_YIELD, "b", 2)},
		"entrypoint error, n1 ok, n2 ok, n3 error": {streams("n3", node.Act_YIELD, "b", 2), order("n3", node.Act_FAIL, "no")},
		"entrypoint ok, n1 ok, n2 exit":            {streams("n2", node.Act_SEND, "b", 2), order("n2", node.Act_EXIT, "bye")},
	} {
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(v.t.Context(), "krt-trace", "1"), patience)
		s := v.streaming(ctx, "StreamThree", request("n3", orders...))
		_, _ = s.rest()
		cancel()
		values := s.Trailer().Get("krt-steps")
		require.Len(v.t, values, 1)
		require.Equal(v.t, want, outcomes(event.Steps(values[0]).AppendTo(nil)))
	}
}

func streamInspected(v *version) {
	kept := v.inspected("StreamThree", request("n3", streams("n1", node.Act_SEND, "a", 2), streams("n3", node.Act_YIELD, "b", 3)))
	v.await(func(c *assert.CollectT) { // copies come after the response
		r := kept(c)
		require.Len(c, r.Steps, 3)
		require.NotNil(c, r.Output)
		require.Contains(c, string(r.Output.JSON), "b-2")
		require.NotNil(c, r.Stream)
		require.Equal(c, 5, r.Stream.Messages)
	})
}

func streamCounted(v *version) {
	const (
		messages = `krt_stream_messages_total{workflow="streamthree"}`
		first    = `krt_stream_first_message_seconds_count{workflow="streamthree"}`
	)
	before, times := v.metric(messages), v.metric(first)
	got, err := v.streamed("StreamThree", request("n3", streams("n3", node.Act_YIELD, "word", 7)))
	require.NoError(v.t, err)
	require.Len(v.t, got, 7)
	v.settle()
	require.InDelta(v.t, 7, v.metric(messages)-before, 0.1)
	require.InDelta(v.t, 1, v.metric(first)-times, 0.1)
}
