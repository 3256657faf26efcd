package entrypoint_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The container of a node's only pod ends and is started again. Its queue-proxy accepts requests meanwhile, and DNS
// names it on; the Knative Service would have requests wait.
func TestNoRequestIsLostWhileTheNodeInAPodIsDown(t *testing.T) {
	f := newFleet(t)
	pod, down := f.start(), new(atomic.Bool)
	says := pod.drainer.Inner
	pod.drainer.Inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "dial tcp 127.0.0.1:8080: connect: connection refused", http.StatusBadGateway)
			return
		}
		says.ServeHTTP(w, r)
	})
	f.publish(pod)
	l := f.load(4)
	f.busy(pod)
	down.Store(true)
	before := f.ran.Load()
	require.Eventually(t, func() bool { return f.ran.Load() > before+100 }, time.Minute, 10*time.Millisecond)
	l.end()
}
