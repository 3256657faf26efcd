package pyrunner_test

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
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
    return StringValue(value=str(round((ctx.deadline - before).total_seconds() / 3600)))
`, map[string]string{"KRT_BACKGROUND_TIMEOUT": "10h"})
	var a answer
	inTime(t, func(patience time.Duration) bool {
		in := request("x")
		in.Deadline = time.Now().Add(patience)
		a = n.post(in)
		return a.status == http.StatusOK // else the handler had not replied before the deadline
	})
	require.Equal(t, "10", stringOf(t, a.event))
	require.True(t, a.event.Replied)
	require.WithinDuration(t, time.Now().Add(10*time.Hour), a.event.Deadline, time.Minute)
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
	inTime(t, func(timeout time.Duration) bool {
		n := start(t, `
def handler(ctx, data):
    time.sleep(float(text(data)))
    return StringValue(value="x")
`, map[string]string{"KRT_TIMEOUT": timeout.String()})
		const inTurn = 6
		each := strconv.FormatFloat(timeout.Seconds()/4, 'f', -1, 64) // all of them take longer than the timeout
		var calls sync.WaitGroup
		var served atomic.Int64
		for range inTurn {
			calls.Go(func() {
				if a, _ := n.postContext(t.Context(), request(each)); a.status == http.StatusOK {
					served.Add(1)
				}
			})
		}
		calls.Wait()
		return served.Load() == inTurn
	})
}

// TestNodesTimeout: it bounds a call, and the error names it.
func TestNodesTimeout(t *testing.T) {
	inTime(t, func(timeout time.Duration) bool {
		n := start(t, endless["plain"], map[string]string{"KRT_TIMEOUT": timeout.String()})
		require.Equal(t, http.StatusAccepted, n.post(request("x")).status)
		s, err := (<-n.replies).Status()
		require.NoError(t, err)
		require.Equal(t, int32(code.Code_DEADLINE_EXCEEDED), s.GetCode())
		require.Equal(t, "error in 'model': no response within "+timeout.String()+", the node's timeout", s.GetMessage())
		return n.post(request("quick")).status == http.StatusOK && n.cleanedUp()
	})
}
