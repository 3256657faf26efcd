package conformance_test

import (
	"context"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func deadlineCases() []testCase {
	const atWork = "who was at work is known to who calls each step (Direct), not to who posts to a channel (Sequence)"
	return []testCase{
		{name: "deadline: the client's, if shorter; the node is cancelled", on: conformance.Hasty, run: clientsDeadline},
		{name: "deadline: the version's, if the client's is longer", on: conformance.Hasty, run: versionsDeadline(time.Hour), differs: atWork},
		{name: "deadline: the version's, if the client has none", on: conformance.Hasty, run: versionsDeadline(0), differs: atWork},
		{name: "deadline: is told to every step", run: deadlineIsTold},
		{name: "deadline: an expired event runs nothing", run: expiredRunsNothing},
		{name: "cancel: reaches the node, no further node runs", run: cancelReaches,
			differs: "a channel that answers first goes on with what it has accepted"},
		{name: "cancel: after an early reply changes nothing", run: cancelAfterReply},
	}
}

func clientsDeadline(v *version) {
	limit := shortTimeout / 2
	v.untilReached("n2", func(in *node.Request) {
		ctx, cancel := context.WithTimeout(v.t.Context(), limit)
		defer cancel()
		limit += shortTimeout / (3 * attempts)
		_, err := v.callContext(ctx, "Three", in)
		require.Equal(v.t, codes.DeadlineExceeded, codeOf(err))
	})
}

func versionsDeadline(clients time.Duration) func(*version) {
	return func(v *version) {
		var err error
		v.untilReached("n2", func(in *node.Request) {
			ctx, cancel := v.t.Context(), context.CancelFunc(func() {})
			if clients > 0 {
				ctx, cancel = context.WithTimeout(ctx, clients)
			}
			defer cancel()
			_, err = v.callContext(ctx, "Three", in)
			require.Equal(v.t, codes.DeadlineExceeded, codeOf(err))
		})
		name, text := atWork(v, "n2"), `workflow "three" did not respond in time`
		if name != "" {
			text += `: node "n2" was processing the event`
		}
		require.Equal(v.t, event.ReasonDeadline, v.failed(err, codes.DeadlineExceeded, text, "Three", name))
	}
}

// atWork is the node that a deadline's error names, where it is known who is at work.
func atWork(v *version, name string) string {
	if !v.Delivery().HasChannels() {
		return name
	}
	return ""
}

// untilReached makes calls that hang at the second of three nodes until one's deadline
// passes there, where it must cancel the handler. A busy machine may let it pass before
// the handler begins; then there is nothing to cancel.
func (v *version) untilReached(name string, call func(in *node.Request)) {
	v.t.Helper()
	v.inTime("the handler of "+name+" has not begun before the deadline", func() bool {
		in := request("n3", order(name, node.Act_HANG, ""))
		call(in)
		v.settle()
		runs := v.runs(in, names(3)...)
		if runs[1] == 0 {
			return false
		}
		v.awaitCancelled(in, name)
		require.Equal(v.t, []int{1, 1, 0}, runs)
		return true
	})
}

func deadlineIsTold(v *version) {
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	at, _ := ctx.Deadline()
	reply, err := v.callContext(ctx, "Three", request("n3"))
	require.NoError(v.t, err)
	for _, visit := range reply.GetVisits() {
		require.WithinDuration(v.t, at, visit.GetDeadline().AsTime(), patience/2, "gRPC sends the time left, rounded")
	}
}

func expiredRunsNothing(v *version) {
	in := request("n1")
	message, data, err := event.Encode(in)
	require.NoError(v.t, err)
	got, err := v.post(v.Node("n1"), &event.Event{
		ID: in.GetId(), Source: "/test", Type: event.TypeMessage, Message: message, Data: data,
		Deadline: time.Now().Add(-time.Second),
	}, nil)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusAccepted, got.status)
	require.Empty(v.t, got.body)
	require.Equal(v.t, []int{0}, v.runs(in, "n1"))
}

func cancelReaches(v *version) {
	if v.Delivery().AcceptsFirst() {
		cancelIsNotNoticed(v)
		return
	}
	v.asksBeside("n2")
	in := request("n3", order("n2", node.Act_HANG, ""))
	ctx, cancel := context.WithCancel(v.t.Context())
	answers := v.begin(ctx, "Three", in)
	v.awaitRuns(in, "n2", 1)
	cancel()
	require.Equal(v.t, codes.Canceled, codeOf((<-answers).err))
	v.awaitCancelled(in, "n2")
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
}

// cancelIsNotNoticed by channels that have accepted the event: until the request's deadline the workflow goes on.
func cancelIsNotNoticed(v *version) {
	gate := v.newGate("n2")
	in := request("n3", order("n2", node.Act_WAIT, gate))
	ctx, cancel := context.WithCancel(v.t.Context())
	answers := v.begin(ctx, "Three", in)
	v.awaitRuns(in, "n2", 1)
	cancel()
	require.Equal(v.t, codes.Canceled, codeOf((<-answers).err))
	v.openGate("n2", gate)
	v.awaitRuns(in, "n3", 1)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}

func cancelAfterReply(v *version) {
	gate := v.newGate("n2")
	in := request("n3", order("n1", node.Act_EARLY_REPLY, "early"), order("n2", node.Act_WAIT, gate))
	caller := open(v.t, v.Target)
	_, err := caller.call("Three", in)
	require.NoError(v.t, err)
	require.NoError(v.t, caller.conn.Close(), "the caller is gone")
	v.awaitRuns(in, "n2", 1)
	v.openGate("n2", gate)
	v.awaitRuns(in, "n3", 1)
	v.settle()
	require.Equal(v.t, ones(3), v.runs(in, names(3)...))
}
