package pyrunner_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Where more calls come than the worker can do, the worker lives on, and what it
// does is of use: calls that would expire meanwhile are passed over.
func TestOverloadLeavesTheWorkerAlive(t *testing.T) {
	for form, env := range forms {
		t.Run(form, func(t *testing.T) {
			n := start(t, `
def handler(ctx, data):
    time.sleep(0.02)
    return StringValue(value=str(os.getpid()))
`, env)
			pid := n.text("x")
			// 40 calls at once are more than a worker can do in 300 ms; a busy machine needs longer for any.
			for patience, good := 300*time.Millisecond, 0; good <= 40; patience *= 2 {
				require.Less(t, patience, time.Minute)
				good = n.overload(patience)
				require.Equal(t, pid, n.text("x"), "the worker lives on")
				require.NotContains(t, n.log.String(), "worker exited")
			}
		})
	}
}

// overload has 40 callers call the node for 13 times as long as each call may take, and returns how many had a
// response in time: on a machine that is not busy, some 200.
func (n *node) overload(patience time.Duration) int {
	var callers sync.WaitGroup
	var good atomic.Int64
	over, stop := context.WithTimeout(n.t.Context(), 13*patience)
	defer stop()
	for range 40 {
		callers.Go(func() {
			for over.Err() == nil {
				in := request("x")
				in.Deadline = time.Now().Add(patience)
				if a, err := n.postContext(n.t.Context(), in); err == nil && a.status == http.StatusOK {
					good.Add(1)
				}
			}
		})
	}
	callers.Wait()
	return int(good.Load())
}

// A worker ends as init wants though the deadline of its last call has passed.
func TestOrderlyEndAfterADeadline(t *testing.T) {
	n := start(t, `
import atexit
def init(ctx): atexit.register(tell, "atexit")
def handler(ctx, data): return StringValue(value="x")
`, nil)
	inTime(t, func(patience time.Duration) bool {
		in := request("x")
		in.Deadline = time.Now().Add(patience)
		status := n.post(in).status
		expired, cancel := context.WithDeadline(t.Context(), in.Deadline)
		defer cancel()
		<-expired.Done()
		return status == http.StatusOK
	})
	require.NoError(t, n.end())
	require.Equal(t, "atexit", (<-n.told).text)
}
