package pyrunner_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
)

// TestEarlyReplyMovesTheDeadline: the work behind an answer has no caller's
// deadline, which ctx.deadline and the event sent on say too.
func TestEarlyReplyMovesTheDeadline(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    before = ctx.deadline
    ctx.early_reply(StringValue(value="accepted"))
    while time.time() < before.timestamp() + 0.05:
        time.sleep(0.01)
    return StringValue(value=str(round((ctx.deadline - before).total_seconds() / 60)))
`, map[string]string{"KRT_BACKGROUND_TIMEOUT": "10m"})
	in := request("x")
	in.Deadline = time.Now().Add(2 * time.Second)
	a := n.post(in)
	require.Equal(t, http.StatusOK, a.status)
	require.Equal(t, "10", stringOf(t, a.event))
	require.True(t, a.event.Replied)
	require.WithinDuration(t, time.Now().Add(10*time.Minute), a.event.Deadline, time.Minute)
	require.Equal(t, "accepted", stringOf(t, <-n.replies))
}

// TestBackgroundTimeoutEndsTheCall: the handler gets its exception then.
func TestBackgroundTimeoutEndsTheCall(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    try:
        ctx.early_reply(StringValue(value="accepted"))
        time.sleep(60)
    finally: tell("ended")
`, map[string]string{"KRT_BACKGROUND_TIMEOUT": "200ms"})
	require.Equal(t, http.StatusAccepted, n.post(request("x")).status)
	require.Equal(t, "ended", (<-n.told).text)
}

// TestNodesTimeoutIsTheHandlers: the time a call waits for the worker does not count.
func TestNodesTimeoutIsTheHandlers(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    time.sleep(0.5)
    return StringValue(value="x")
`, map[string]string{"KRT_TIMEOUT": "2s"})
	var calls sync.WaitGroup
	statuses := make(chan int, 6)
	for range cap(statuses) {
		calls.Go(func() {
			a, _ := n.postContext(t.Context(), request("x"))
			statuses <- a.status
		})
	}
	calls.Wait()
	for range cap(statuses) {
		require.Equal(t, http.StatusOK, <-statuses)
	}
}

// TestNodesTimeout: it bounds a call, and the error names it.
func TestNodesTimeout(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    try: time.sleep(60)
    finally: tell("ended")
`, map[string]string{"KRT_TIMEOUT": "1s"})
	require.Equal(t, http.StatusAccepted, n.post(request("x")).status)
	s, err := (<-n.replies).Status()
	require.NoError(t, err)
	require.Equal(t, int32(code.Code_DEADLINE_EXCEEDED), s.GetCode())
	require.Equal(t, "error in 'model': no response within 1s, the node's timeout", s.GetMessage())
	require.Equal(t, "ended", (<-n.told).text)
}
