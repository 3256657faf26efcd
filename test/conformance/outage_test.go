package conformance_test

import (
	"fmt"
	"net/http"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func outageCases() []testCase {
	const (
		startless = "a version with such a node does not start, and says why: TestFailedStarts in test/e2e"
		container = "a Go node's process is its container: the kubelet waits 10 s before it starts the same one a third time"
		alone     = "a Go node is one process: what else it works on ends with it, and may end all its tries before its container is back"
	)
	all := []testCase{
		{name: "outage: a node that is down is UNAVAILABLE by name", run: unreachable("Down", "down"), local: startless},
		{name: "outage: so is one whose code has no handler", run: unreachable("Broken", "broken"), local: startless},
		{name: "outage: a connection that breaks is tried again", run: connectionBreaks},
		{name: "outage: a process that dies once is tried again", run: diesOnce},
		{name: "outage: a process that always dies is UNAVAILABLE by name", run: diesAlways, local: container, localTo: conformance.Go},
		{name: "outage: a dying process takes no other call with it", run: diesBesideOthers, local: alone, localTo: conformance.Go},
		{name: "status: an event that is none is final", run: malformedAnswer,
			differs: "a malformed answer is read by whom it goes to: the entrypoint (Direct, Durable) names the node, the next channel " +
				"(Sequence) refuses it with 400"},
		{name: "status: 202 and no reply is DEADLINE_EXCEEDED", on: conformance.Hasty, run: silence},
	}
	for _, status := range []int{301, 400, 403, 404, 408, 409, 413, 429, 500, 502, 503} {
		tries, how := 1, "is final"
		switch {
		case status >= 500, status == http.StatusNotFound, status == http.StatusRequestTimeout,
			status == http.StatusConflict, status == http.StatusTooManyRequests:
			tries, how = 1+retries, "is tried again"
		}
		all = append(all, testCase{
			name: fmt.Sprintf("status: %d %s, then UNAVAILABLE", status, how),
			run:  answersStatus(status, tries),
		})
	}
	return all
}

func unreachable(rpc, name string) func(*version) {
	return func(v *version) {
		in := request("n3")
		_, err := v.call(rpc, in)
		reason := v.failed(err, codes.Unavailable, "", rpc, name)
		require.Equal(v.t, event.ReasonUnavailable, reason)
		require.Contains(v.t, err.Error(), fmt.Sprintf("node %q cannot be reached: ", name))
		require.Contains(v.t, err.Error(), "connection refused")
		v.settle()
		require.Equal(v.t, []int{1, 0}, v.runs(in, "n1", "n3"))
	}
}

func connectionBreaks(v *version) {
	in := request("n3", order("foreign", node.Act_DIE, ""))
	_, err := v.call("ForeignMiddle", in)
	v.failed(err, codes.Unavailable, "", "ForeignMiddle", "foreign")
	how := `node "foreign" cannot be reached: `
	if v.OnCluster() { // where its queue-proxy can; the entrypoint itself bypasses that as long as there is one ready pod
		how = `node "foreign" (responded with HTTP 502|cannot be reached): `
	}
	require.Regexp(v.t, how, err.Error())
	require.Contains(v.t, err.Error(), "EOF")
	v.settle()
	require.Equal(v.t, []int{1, 1 + retries, 0}, v.runs(in, "n1", "foreign", "n3"))
}

func diesOnce(v *version) {
	die := order(mortal, node.Act_DIE, "")
	die.Times = 1
	in := request("n3", die)
	reply, err := v.call("Three", in)
	if v.OnCluster() && v.Language() == conformance.Go && err != nil { // its container was back later than the last retry
		v.failed(err, codes.Unavailable, "", "Three", mortal)
		v.awaitReady(mortal)
		require.Equal(v.t, []int{1, 1, 0}, v.runs(in, names(3)...))
		_, err = v.call("Three", request("n3"))
		require.NoError(v.t, err, "the node is back")
		return
	}
	require.NoError(v.t, err)
	require.Equal(v.t, names(3), visited(reply))
	require.Equal(v.t, []int{1, 2, 1}, v.runs(in, names(3)...))
}

func diesAlways(v *version) {
	in := request("n3", order(mortal, node.Act_DIE, ""))
	_, err := v.call("Three", in)
	text := ""
	if v.Language() == conformance.Python {
		text = `node "n2" responded with HTTP 503: worker exited: signal: killed`
	}
	v.failed(err, codes.Unavailable, text, "Three", mortal)
	require.Contains(v.t, err.Error(), `node "n2" `)
	v.settle()
	v.awaitReady(mortal)
	runs := v.runs(in, names(3)...)
	require.Equal(v.t, []int{1, 0}, []int{runs[0], runs[2]})
	// A process that is being replaced may take an attempt and run nothing.
	require.LessOrEqual(v.t, runs[1], 1+retries)
	require.Positive(v.t, runs[1])
	if v.Language() == conformance.Python { // whose front lives on
		require.Equal(v.t, 1+retries, runs[1])
	}
	_, err = v.call("Three", request("n3"))
	require.NoError(v.t, err, "the node is back")
}

func diesBesideOthers(v *version) {
	gate := v.newGate(mortal)
	held := request("n3", order(mortal, node.Act_WAIT, gate))
	holding := v.begin(v.t.Context(), "Three", held)
	v.awaitRuns(held, mortal, 1)
	die := order(mortal, node.Act_DIE, "")
	die.Times = 1
	_, err := v.call("Three", request("n3", die))
	require.NoError(v.t, err)
	v.openGate(mortal, gate)
	got := <-holding
	require.NoError(v.t, got.err)
	require.Equal(v.t, names(3), visited(got.reply))
	if v.Language() == conformance.Python { // its handlers have a process each; the Go node has one, and is called again
		require.Equal(v.t, ones(3), v.runs(held, names(3)...))
	}
}

func answersStatus(status, tries int) func(*version) {
	return func(v *version) {
		answer := order("foreign", node.Act_STATUS, "out of memory")
		answer.Number = int32(status)
		in := request("n3", answer)
		_, err := v.call("ForeignMiddle", in)
		text := fmt.Sprintf(`node "foreign" responded with HTTP %d: out of memory`, status)
		require.Equal(v.t, event.ReasonUnavailable, v.failed(err, codes.Unavailable, text, "ForeignMiddle", "foreign"))
		v.settle()
		require.Equal(v.t, []int{1, tries, 0}, v.runs(in, "n1", "foreign", "n3"))
	}
}

func malformedAnswer(v *version) {
	in := request("n3", order("foreign", node.Act_GARBAGE, ""))
	_, err := v.call("ForeignMiddle", in)
	name, text := "foreign", `node "foreign" responded with a malformed event: ce-source: missing`
	if v.Delivery().HasChannels() {
		name, text = "", "the workflow's channel responded with HTTP 400"
	}
	if v.Delivery() == conformance.Storing {
		text += ": the event has no source"
	}
	v.failed(err, codes.Unavailable, text, "ForeignMiddle", name)
	v.settle()
	require.Equal(v.t, []int{1, 1, 0}, v.runs(in, "n1", "foreign", "n3"))
}

func silence(v *version) {
	v.inTime("the foreign node has not received an event before its deadline", func() bool {
		in := request("n3", order("foreign", node.Act_SILENT, ""))
		_, err := v.call("ForeignMiddle", in)
		require.Equal(v.t, codes.DeadlineExceeded, codeOf(err))
		v.settle()
		runs := v.runs(in, "n1", "foreign", "n3")
		if runs[1] == 0 {
			return false
		}
		require.Equal(v.t, []int{1, 1, 0}, runs)
		return true
	})
}
