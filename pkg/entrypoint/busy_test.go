package entrypoint_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// busyNode refuses an event the given number of times, as the runner does that
// holds as many as it may.
func busyNode(t *testing.T, times int32, h handle) (entrypoint.Step, *atomic.Int32) {
	t.Helper()
	tries := &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) > times {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "1")
		http.Error(w, "busy: 1 calls wait or run, which is the most", http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	return entrypoint.Step{Node: "a", URL: s.URL}, tries
}

const always = 1 << 30

func TestABusyNodeIsTriedUntilItTakesTheEvent(t *testing.T) {
	f := newFixture(t)
	step, tries := busyNode(t, 6, f.says("a", true)) // more than there are retries
	f.serve(f.version(step), quick())
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>a", got)
	require.EqualValues(t, 7, tries.Load())
}

// TestACallerIsToldOfABusyNode: while there is still time to.
func TestACallerIsToldOfABusyNode(t *testing.T) {
	inTime(t, 4*time.Second, func(patience time.Duration) bool { // a quarter of which is left then
		f := newFixture(t)
		step, tries := busyNode(t, always, nil)
		o := quick()
		o.Timeout = patience
		f.serve(f.version(step), o)
		_, err := f.call(t.Context(), "x")
		if status.Code(err) == codes.DeadlineExceeded || tries.Load() <= 4 {
			return false
		}
		text, info := failed(t, err, codes.Unavailable)
		require.Equal(t, `node "a" responded with HTTP 503: busy: 1 calls wait or run, which is the most`, text)
		require.Equal(t, event.ReasonUnavailable, info.GetReason())
		return true
	})
}

// TestAcceptedWorkWaitsForABusyNode: a client's timeout does not end that.
func TestAcceptedWorkWaitsForABusyNode(t *testing.T) {
	f := newFixture(t)
	ran := make(chan *event.Event, 1)
	step, tries := busyNode(t, 8, func(ctx context.Context, in *event.Event) (int, *event.Event) {
		ran <- in
		return f.says("a", true)(ctx, in)
	})
	o, l := logged()
	seen := &records{}
	o.Observers = []record.Observer{seen}
	o.Timeout = 20 * time.Millisecond // over long before
	f.serve(f.version(step), o)
	got := f.async()
	require.Equal(t, http.StatusAccepted, got.status, got.body)
	in := <-ran
	require.Equal(t, in.CorrelationID, got.header.Get("Krt-Correlation-Id"))
	f.awaitIdle()
	require.EqualValues(t, 9, tries.Load())
	seen.take(t, 1) // a failure is logged before
	require.NotContains(t, l.String(), "failed")
}

// TestABusyNodeIsNamedInTheEnd: with the producer's own id of the event.
func TestABusyNodeIsNamedInTheEnd(t *testing.T) {
	inTime(t, time.Second, func(patience time.Duration) bool {
		f := newFixture(t)
		step, _ := busyNode(t, always, nil)
		o, l := logged()
		v := f.version(step)
		v.BackgroundTimeout = patience // it runs before the response, too
		f.serve(v, o)
		got := f.async()
		if got.status != http.StatusAccepted {
			return false
		}
		l.await(t, "an asynchronous request failed")
		require.Contains(t, l.String(), "causation=my-1 ")
		require.Contains(t, l.String(), "correlation="+got.header.Get("Krt-Correlation-Id"))
		require.Contains(t, l.String(), "has not ended within "+patience.String()+", the background timeout: node")
		return true
	})
}

// TestNobodyAsksABusyNodeForACallerWhoLeft: its request ends at once.
func TestNobodyAsksABusyNodeForACallerWhoLeft(t *testing.T) {
	f := newFixture(t)
	step, tries := busyNode(t, always, nil)
	f.serve(f.version(step), quick())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for tries.Load() < 2 && t.Context().Err() == nil {
			<-time.After(time.Millisecond)
		}
		cancel()
	}()
	_, err := f.call(ctx, "x")
	failed(t, err, codes.Canceled)
	f.awaitIdle()
}
