package conformance_test

import (
	"context"
	"net/http"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func backgroundCases() []testCase {
	return []testCase{
		{name: "background: the work behind an early reply outlasts the client's deadline", on: conformance.Hasty,
			run: outlastsReply(shortTimeout / 2)},
		{name: "background: the work behind an early reply outlasts the version's deadline", on: conformance.Hasty, run: outlastsReply(0)},
		{name: "background: an asynchronous request outlasts the version's deadline", on: conformance.Hasty, run: outlastsAsync},
		{name: "background: the steps behind an early reply are told", run: toldOfReply},
		{name: "background: a failure behind an early reply is nobody's answer", run: failsBehindReply},
		{name: "background: a long trace state fails no request", run: longTraceState},
	}
}

// outlastsReply has a node work on after its reply until the client's deadline has
// passed, or, with none, the version's. A busy machine may let it pass before the reply, or before the node
// has learned that the reply was taken: until then its work has that deadline, too.
func outlastsReply(clients time.Duration) func(*version) {
	return func(v *version) {
		v.inTime("no work has gone on after a reply", func() bool { return repliesInTime(v, clients) })
	}
}

func repliesInTime(v *version, clients time.Duration) bool {
	gate := v.newGate("n1")
	in := request("n3", order("n1", node.Act_EARLY_REPLY, "accepted"), order("n1", node.Act_WAIT, gate))
	patient := clients
	if clients == 0 {
		patient = shortTimeout
	}
	over, cancel := context.WithTimeout(v.t.Context(), patient)
	defer cancel()
	ctx := over
	if clients == 0 {
		ctx = v.t.Context()
	}
	reply, err := v.callContext(ctx, "Three", in)
	if codeOf(err) == codes.DeadlineExceeded {
		v.openGate("n1", gate)
		v.settle()
		return false
	}
	require.NoError(v.t, err)
	require.Equal(v.t, "accepted", reply.GetText())
	<-over.Done()
	v.openGate("n1", gate)
	if !v.ran(in, "n3") {
		return false
	}
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
	return true
}

// ran waits until the node's handler has run for the request, a sixth of what awaitRuns does at most, and
// reports whether it has.
func (v *version) ran(in *node.Request, name string) bool {
	return assert.Eventually(new(assert.CollectT), func() bool { return v.runs(in, name)[0] > 0 }, patience/6, 2*time.Millisecond)
}

func outlastsAsync(v *version) {
	gate := v.newGate("n2")
	in := request("n3", order("n2", node.Act_WAIT, gate))
	header := producerHeader("application/protobuf", newID())
	header.Set("Prefer", "respond-async")
	over, cancel := context.WithTimeout(v.t.Context(), shortTimeout)
	defer cancel()
	got, err := v.send(http.MethodPost, v.Web()+"/workflows/three", asProto(v, in), header)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusAccepted, got.status, got.body)
	<-over.Done()
	v.openGate("n2", gate)
	v.awaitRuns(in, "n3", 1)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func toldOfReply(v *version) {
	for _, early := range []bool{false, true} {
		in := request("n3")
		if early {
			in = request("n3", order("n1", node.Act_EARLY_REPLY, "accepted"))
		}
		_, err := v.call("ForeignMiddle", in)
		require.NoError(v.t, err)
		v.awaitRuns(in, "n3", 1)
		heard := v.heard(in)
		require.Len(v.t, heard, 1)
		at, err := time.Parse(time.RFC3339Nano, heard[0].Header.Get("Ce-Krtdeadline"))
		require.NoError(v.t, err)
		if early {
			require.Equal(v.t, "1", heard[0].Header.Get("Ce-Krtreplied"))
			require.WithinDuration(v.t, time.Now().Add(time.Hour), at, patience, "the default")
		} else {
			require.Empty(v.t, heard[0].Header.Get("Ce-Krtreplied"))
			require.Less(v.t, time.Until(at), patience+time.Second)
		}
	}
}

func failsBehindReply(v *version) {
	in := request("n3", order("n1", node.Act_EARLY_REPLY, "accepted"), order("n2", node.Act_FAIL, "no such room"))
	reply, err := v.call("Three", in)
	require.NoError(v.t, err)
	require.Equal(v.t, "accepted", reply.GetText())
	v.awaitRuns(in, "n2", 1)
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
}

// longTraceState posts straight to a node what no entrypoint sends, too.
func longTraceState(v *version) {
	long := make([]byte, 8<<10)
	for i := range long {
		long[i] = "key=value,"[i%10]
	}
	in := request("n1")
	header := http.Header{"Content-Type": {"application/json"}, "Tracestate": {string(long)}}
	got, err := v.send(http.MethodPost, v.Web()+"/conformance.Entrypoint/One", asJSON(v, in), header)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusOK, got.status, got.body)

	message, data, err := event.Encode(request("n1"))
	require.NoError(v.t, err)
	e := &event.Event{ID: newID(), Source: "/test", Type: event.TypeMessage, Message: message, Data: data}
	got, err = v.post(v.Node("n1"), e, http.Header{"Ce-Tracestate": {string(long)}})
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusOK, got.status, got.body)
}
