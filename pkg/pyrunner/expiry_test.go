package pyrunner_test

import (
	"context"
	"net/http"
	"sync"
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
			var callers sync.WaitGroup
			var mu sync.Mutex
			good := 0
			over, stop := context.WithTimeout(t.Context(), 4*time.Second)
			defer stop()
			for range 40 {
				callers.Go(func() {
					for over.Err() == nil {
						in := request("x")
						in.Deadline = time.Now().Add(300 * time.Millisecond)
						if a, err := n.postContext(t.Context(), in); err == nil && a.status == http.StatusOK {
							mu.Lock()
							good++
							mu.Unlock()
						}
					}
				})
			}
			callers.Wait()
			require.Equal(t, pid, n.text("x"), "the worker lives on")
			require.NotContains(t, n.log.String(), "worker exited")
			require.Greater(t, good, 40, "of some 200")
		})
	}
}

// A worker ends as init wants though the deadline of its last call has passed.
func TestOrderlyEndAfterADeadline(t *testing.T) {
	n := start(t, `
import atexit
def init(ctx): atexit.register(tell, "atexit")
def handler(ctx, data): return StringValue(value="x")
`, nil)
	in := request("x")
	in.Deadline = time.Now().Add(time.Second)
	require.Equal(t, http.StatusOK, n.post(in).status)
	expired, cancel := context.WithDeadline(t.Context(), in.Deadline)
	defer cancel()
	<-expired.Done()
	require.NoError(t, n.end())
	require.Equal(t, "atexit", (<-n.told).text)
}
