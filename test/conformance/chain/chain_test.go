package chain_test

import (
	"net/http"
	"net/http/httptest"
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
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("x"))
	require.NoError(t, err)
	(&event.Event{ID: "1", Source: "/test", Type: event.TypeMessage, Message: "a.B"}).WriteHeader(req.Header)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res
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
