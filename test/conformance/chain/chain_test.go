package chain_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance/chain"
)

// The facts of Knative that the design of Sequence delivery stands on.

// step is a node that answers with status, and with an event if that is 200.
func step(t *testing.T, status int) (url string, runs *atomic.Int32) {
	t.Helper()
	runs = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs.Add(1)
		in, err := event.ReadHeader(r.Header)
		if err != nil {
			t.Error(err)
			return
		}
		if status == http.StatusOK {
			in.WriteHeader(w.Header())
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s.URL, runs
}

func post(t *testing.T, url string) (status int) {
	t.Helper()
	return send(t, url).StatusCode
}

func send(t *testing.T, url string) *http.Response {
	t.Helper()
	res, err := sendWith(t.Context(), url)
	require.NoError(t, err)
	return res
}

func sendWith(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("x"))
	if err != nil {
		return nil, err
	}
	(&event.Event{ID: "1", Source: "/test", Type: event.TypeMessage, Message: "a.B"}).WriteHeader(req.Header)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return res, res.Body.Close()
}

func TestThePostIsAnsweredAfterTheReply(t *testing.T) {
	reply, replies := step(t, http.StatusAccepted)
	a, ran := step(t, http.StatusOK)
	delivery := chain.Delivery{Reply: reply, Timeout: time.Minute, Retry: 3, Backoff: time.Millisecond}
	require.Equal(t, http.StatusAccepted, post(t, chain.NewDispatcher(t).Sequence("s", delivery, a, a, a)))
	require.Equal(t, int32(3), ran.Load())
	require.Equal(t, int32(1), replies.Load())
}

func TestAFailingStepIsToldOnThePostAndMultipliedWithoutDeadLetters(t *testing.T) {
	reply, replies := step(t, http.StatusAccepted)
	a, _ := step(t, http.StatusOK)
	bad, ran := step(t, http.StatusInternalServerError)
	delivery := chain.Delivery{Reply: reply, Timeout: time.Minute, Retry: 3, Backoff: time.Millisecond}
	require.Equal(t, http.StatusInternalServerError, post(t, chain.NewDispatcher(t).Sequence("s", delivery, a, a, bad)))
	require.Equal(t, int32(4*4*4), ran.Load(), "each hand-over is tried as often as the step itself")
	require.Zero(t, replies.Load())
}

func TestDeadLettersStopThat(t *testing.T) {
	sink, letters := step(t, http.StatusAccepted)
	a, first := step(t, http.StatusOK)
	bad, ran := step(t, http.StatusInternalServerError)
	delivery := chain.Delivery{Reply: sink, DeadLetter: sink, Timeout: time.Minute, Retry: 3, Backoff: time.Millisecond}
	require.Equal(t, http.StatusAccepted, post(t, chain.NewDispatcher(t).Sequence("s", delivery, a, bad)))
	require.Equal(t, int32(1), first.Load())
	require.Equal(t, int32(4), ran.Load())
	require.Equal(t, int32(1), letters.Load())
}

// Why steps behind in-memory channels have no timeout.
func TestAResponseIsKeptUntilTheTimeoutAndNotWithoutOne(t *testing.T) {
	const events = 200
	reply, _ := step(t, http.StatusAccepted)
	a, _ := step(t, http.StatusOK)
	dispatcher := chain.NewDispatcher(t)
	more := func(name string, timeout time.Duration) (goroutines func() int) {
		url := dispatcher.Sequence(name, chain.Delivery{Reply: reply, Timeout: timeout}, a, a)
		post(t, url) // opens the connections
		before := runtime.NumGoroutine()
		for range events {
			require.Equal(t, http.StatusAccepted, post(t, url))
		}
		return func() int { return runtime.NumGoroutine() - before }
	}
	without := more("without", 0)
	require.Eventually(t, func() bool { return without() < events/2 }, time.Minute, time.Millisecond)
	with := more("with", time.Hour)
	require.GreaterOrEqual(t, with(), events, "Knative closes what it has read now: let steps have a timeout again")
}

// What a nested Sequence does ends with the connection of who has sent the event, and not if a channel responds first.
func TestWorkEndsWithThePostThatIsNotAnswered(t *testing.T) {
	reply, replies := step(t, http.StatusAccepted)
	for _, async := range []bool{false, true} {
		begun, ended, release := make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
		a := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is seen
			begun <- struct{}{}
			select {
			case <-r.Context().Done():
				close(ended)
			case <-release:
				in, err := event.ReadHeader(r.Header)
				if err != nil {
					t.Error(err)
				}
				in.WriteHeader(w.Header())
			}
		}))
		t.Cleanup(a.Close)
		url := chain.NewDispatcher(t).Sequence("s", chain.Delivery{Reply: reply, Async: async}, a.URL)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := sendWith(ctx, url)
			done <- err
		}()
		<-begun
		if async {
			require.NoError(t, <-done)
			cancel()
			close(release)
			require.Eventually(t, func() bool { return replies.Load() == 1 }, time.Minute, time.Millisecond)
			continue
		}
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		<-ended
		require.Zero(t, replies.Load())
	}
}

func TestAChannelThatIsNotKnownYetIsToldFromOneThatFails(t *testing.T) {
	a, _ := step(t, http.StatusInternalServerError)
	delivery := chain.Delivery{Reply: a, Timeout: time.Minute, Backoff: time.Millisecond}
	known := chain.NewDispatcher(t).Sequence("s", delivery, a)
	unknown := strings.ReplaceAll(known, "/s-kn", "/other-kn")
	for url, allow := range map[string]string{known: "POST, OPTIONS", unknown: ""} {
		got := send(t, url)
		require.Equal(t, http.StatusInternalServerError, got.StatusCode)
		require.Zero(t, got.ContentLength)
		require.Equal(t, allow, got.Header.Get("Allow"), url)
	}
}
