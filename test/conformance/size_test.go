package conformance_test

import (
	"bytes"
	"net/http"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance/node"
)

// limit is the largest message by default; room is what a message of ours holds
// besides its payload.
const (
	limit = 4 << 20
	room  = 4 << 10
)

func sizeCases() []testCase {
	return []testCase{
		{name: "size: 0 bytes", run: emptyMessage},
		{name: "size: 64 KiB", run: payload(64 << 10)},
		{name: "size: just below 4 MiB", run: payload(limit - room)},
		{name: "size: a request above the limit is refused, nothing runs", run: requestTooLarge},
		{name: "size: a handler's message above the limit", run: outputTooLarge},
		{name: "size: an answer above the limit, of a node that is no runner", run: foreignLastTooLarge},
		{name: "size: a message above the limit between nodes", run: foreignMiddleTooLarge,
			differs: "a message above the limit is met by whom it goes to: the entrypoint (Direct, Durable), or the next node (Sequence), " +
				"which refuses it with 413"},
	}
}

func emptyMessage(v *version) {
	for _, rpc := range []string{"One", "Three"} {
		reply, err := v.call(rpc, &node.Request{})
		require.NoError(v.t, err)
		require.Empty(v.t, reply.GetVisits())
		require.Empty(v.t, reply.GetPayload())
	}
}

func payload(size int) func(*version) {
	return func(v *version) {
		in := request("n3")
		in.Payload = bytes.Repeat([]byte{0, 1, 2, 0xff}, size/4)
		reply, err := v.call("Three", in)
		require.NoError(v.t, err)
		require.True(v.t, bytes.Equal(in.GetPayload(), reply.GetPayload()))
		require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	}
}

func requestTooLarge(v *version) {
	in := request("n3")
	in.Payload = make([]byte, limit+1)
	_, err := v.call("Three", in)
	require.Equal(v.t, codes.ResourceExhausted, codeOf(err))
	text, err := protojson.Marshal(in)
	require.NoError(v.t, err)
	_, data, err := event.Encode(in)
	require.NoError(v.t, err)
	got, err := v.send(http.MethodPost, v.Web()+"/conformance.Entrypoint/Three", text, http.Header{"Content-Type": {"application/json"}})
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusRequestEntityTooLarge, got.status, got.body)
	got, err = v.send(http.MethodPost, v.Web()+"/workflows/three", data, producerHeader("application/protobuf", newID()))
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusRequestEntityTooLarge, got.status, got.body)
	require.Equal(v.t, []int{0}, v.runs(in, "n1"))
}

// grow orders a node to make the payload larger than is allowed.
func grow(name string) *node.Order {
	return &node.Order{Node: name, Act: node.Act_GROW, Number: limit + 1}
}

func outputTooLarge(v *version) {
	in := request("n3", grow("n2"))
	_, err := v.call("Three", in)
	require.Equal(v.t, event.ReasonTooLarge, v.failed(err, codes.ResourceExhausted, "", "Three", "n2"))
	require.Contains(v.t, err.Error(), "error in 'n2': ")
	require.Contains(v.t, err.Error(), "conformance.Request has ")
	require.Contains(v.t, err.Error(), "the limit is 4194304")
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
}

func foreignLastTooLarge(v *version) {
	in := request("foreign", grow("foreign"))
	_, err := v.call("ForeignLast", in)
	require.Equal(v.t, event.ReasonTooLarge, v.failed(err, codes.ResourceExhausted, "", "ForeignLast", "foreign"))
	require.Contains(v.t, err.Error(), `node "foreign": its response is too large: `)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, "n1", "n2", "foreign"))
}

func foreignMiddleTooLarge(v *version) {
	in := request("n3", grow("foreign"))
	_, err := v.call("ForeignMiddle", in)
	if !v.Delivery().HasChannels() {
		require.Equal(v.t, event.ReasonTooLarge, v.failed(err, codes.ResourceExhausted, "", "ForeignMiddle", "foreign"))
	} else {
		v.failed(err, codes.Unavailable, "", "ForeignMiddle", "n3")
		require.Contains(v.t, err.Error(), `node "n3" responded with HTTP 413: event data too large`)
	}
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, "n1", "foreign", "n3"))
}
