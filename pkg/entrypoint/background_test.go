package entrypoint_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

// logs takes what an entrypoint logs.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// logged are options whose log is read.
func logged() (entrypoint.Options, *logs) {
	o, l := quick(), &logs{}
	o.Logger = slog.New(slog.NewTextHandler(l, nil))
	return o, l
}

// await waits until text is logged: a request ends before its failure is logged.
func (l *logs) await(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(l.String(), text) }, time.Minute, time.Millisecond)
}

// awaitIdle waits until no request is in flight.
func (f *fixture) awaitIdle() {
	require.Eventually(f.t, func() bool { return strings.Contains(f.metrics(), "krt_requests_in_flight 0") }, time.Minute, time.Millisecond)
}

// outlast waits until the event's deadline has passed, and reports whether the
// exchange has been cancelled.
func outlast(ctx context.Context, in *event.Event) (cancelled bool) {
	select {
	case <-time.After(time.Until(in.Deadline) + 100*time.Millisecond):
		return false
	case <-ctx.Done():
		return true
	}
}

// TestWorkAfterAReplyHasNoClientsDeadline: by either delivery the exchange goes
// on, and the steps after the reply get its new deadline.
func TestWorkAfterAReplyHasNoClientsDeadline(t *testing.T) {
	for _, c := range []string{"Direct", "Sequence"} {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			inTime(t, 3*time.Second, func(patience time.Duration) bool {
				f := newFixture(t)
				cancelled, second := make(chan bool, 1), make(chan *event.Event, 1)
				first := handle(func(ctx context.Context, in *event.Event) (int, *event.Event) {
					assert.False(t, in.Replied)
					if f.post("/reply", f.replyTo(in, "accepted")) != http.StatusAccepted { // the client has gone
						return http.StatusAccepted, nil
					}
					cancelled <- outlast(ctx, in)
					return f.says("a", false)(ctx, in)
				})
				if c == "Direct" {
					v := f.version(node(t, "a", first), node(t, "b", func(ctx context.Context, in *event.Event) (int, *event.Event) {
						second <- in
						return f.says("b", true)(ctx, in)
					}))
					v.BackgroundTimeout = 10 * time.Minute
					f.serve(v, quick())
				} else {
					f.viaSequence(func(ctx context.Context, in *event.Event) (int, *event.Event) {
						first(ctx, in)
						return http.StatusAccepted, nil
					})
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				got, err := f.call(ctx, "x")
				if status.Code(err) == codes.DeadlineExceeded {
					return false
				}
				require.NoError(t, err)
				require.Equal(t, "accepted", got)
				cancel()
				require.False(t, <-cancelled)
				if c == "Direct" {
					in := <-second
					require.True(t, in.Replied)
					require.WithinDuration(t, time.Now().Add(10*time.Minute), in.Deadline, time.Minute)
				}
				f.awaitIdle()
				return true
			})
		})
	}
}

// TestTheBackgroundTimeoutEndsTheWork: only the log reports it.
func TestTheBackgroundTimeoutEndsTheWork(t *testing.T) {
	f := newFixture(t)
	o, l := logged()
	ended := make(chan struct{})
	v := f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		assert.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "accepted")))
		<-ctx.Done()
		close(ended)
		return http.StatusAccepted, nil
	}))
	v.BackgroundTimeout = 50 * time.Millisecond
	f.serve(v, o)
	_, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	<-ended
	l.await(t, "the work after the response failed; nothing is kept of it")
	require.Contains(t, l.String(), "has not ended within 50ms, the background timeout")
}

// TestAStepThatIsTriedAgainKnowsOfTheReply: its deadline would have passed.
func TestAStepThatIsTriedAgainKnowsOfTheReply(t *testing.T) {
	f := newFixture(t)
	var tries atomic.Int32
	again := make(chan *event.Event, 1)
	f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		if tries.Add(1) == 1 {
			assert.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "accepted")))
			return http.StatusServiceUnavailable, nil
		}
		again <- in
		return http.StatusAccepted, nil
	})), quick())
	_, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.True(t, (<-again).Replied)
}

// async sends an event without waiting for the response.
func (f *fixture) async() reply {
	return f.request(http.MethodPost, f.web+"/", `{"text": "x"}`, binaryEvent("flow", "application/json", "Prefer", "respond-async")...)
}

// TestAsyncIsAdmittedFirst: a version at its limit refuses it, as any request.
func TestAsyncIsAdmittedFirst(t *testing.T) {
	got := newFixture(t).full().async()
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Contains(t, got.body, "its limit")
}

// TestAsyncHasNoClientsDeadline: whatever the timeout, the first event has another.
func TestAsyncHasNoClientsDeadline(t *testing.T) {
	for _, c := range []string{"Direct", "Sequence"} {
		t.Run(c, func(t *testing.T) {
			f := newFixture(t)
			came, cancelled := make(chan *event.Event, 1), make(chan bool, 1)
			h := handle(func(ctx context.Context, in *event.Event) (int, *event.Event) {
				came <- in
				select {
				case <-time.After(200 * time.Millisecond):
					cancelled <- false
				case <-ctx.Done():
					cancelled <- true
				}
				assert.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "done")))
				return http.StatusAccepted, nil
			})
			o := quick()
			o.Timeout = 50 * time.Millisecond
			v := f.version(node(t, "a", h))
			if c == "Sequence" {
				v.Workflows[0].Address = v.Workflows[0].Steps[0].URL
			}
			f.serve(v, o)
			require.Equal(t, http.StatusAccepted, f.async().status)
			in := <-came
			require.True(t, in.Replied)
			require.WithinDuration(t, time.Now().Add(time.Hour), in.Deadline, time.Minute)
			require.False(t, <-cancelled)
			f.awaitIdle()
		})
	}
}

// TestAsyncWithoutAnyReplyEnds: once its nodes have, it does not keep its place.
func TestAsyncWithoutAnyReplyEnds(t *testing.T) {
	f := newFixture(t)
	o, l := logged()
	o.Timeout = 10 * time.Millisecond // after its nodes have ended
	f.serve(f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusAccepted, nil })), o)
	require.Equal(t, http.StatusAccepted, f.async().status)
	l.await(t, "and no reply came")
}

// TestAsyncIsAcceptedOnceItIsOnItsWay: what could not be sent was not accepted.
func TestAsyncIsAcceptedOnceItIsOnItsWay(t *testing.T) {
	for _, c := range []string{"Direct", "Sequence"} {
		t.Run(c, func(t *testing.T) {
			f := newFixture(t)
			_, url := taken(t)
			v := f.version(entrypoint.Step{Node: "a", URL: url})
			if c == "Sequence" {
				v.Workflows[0].Address = url
			}
			o := quick()
			o.Retry.Patience = 20 * time.Millisecond
			f.serve(v, o)
			got := f.async()
			require.Equal(t, http.StatusServiceUnavailable, got.status)
			require.Contains(t, got.body, "cannot be reached")
			f.awaitIdle()
		})
	}
}

// TestAnAsyncFailureIsLogged: nobody waits for a response.
func TestAnAsyncFailureIsLogged(t *testing.T) {
	f := newFixture(t)
	o, l := logged()
	f.serve(f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusBadRequest, nil })), o)
	f.async()
	l.await(t, "an asynchronous request failed")
}

// TestALongTraceStateIsDropped: at each port, and in a node's response.
func TestALongTraceStateIsDropped(t *testing.T) {
	f := newFixture(t)
	states := make(chan string, 1)
	f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		status, out := f.says("a", false)(ctx, in)
		out.Trace.State = strings.Repeat("k=v,", 1000)
		return status, out
	}), node(t, "b", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		states <- in.Trace.State
		return f.says("b", true)(ctx, in)
	})), quick())
	for _, state := range []string{strings.Repeat("k=v,", 150), strings.Repeat("k=v,", 5000)} {
		got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text": "x"}`, "Content-Type", "application/json",
			"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate", state)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.Empty(t, <-states)
	}
}

// TestASequenceThatTurnsAnEventAwayIsTriedAgain: Knative's data plane contract.
func TestASequenceThatTurnsAnEventAwayIsTriedAgain(t *testing.T) {
	for _, status := range []int{404, 408, 409, 429} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			var posts atomic.Int32
			f.viaSequenceAt(node(t, "sequence", func(_ context.Context, in *event.Event) (int, *event.Event) {
				if posts.Add(1) < 3 {
					return status, nil
				}
				assert.Equal(t, http.StatusAccepted, f.post("/reply",
					in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))))
				return http.StatusAccepted, nil
			}).URL, time.Minute)
			got, err := f.call(t.Context(), "x")
			require.NoError(t, err)
			require.Equal(t, "done", got)
		})
		t.Run(http.StatusText(status)+" to the end of patience", func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.viaSequenceAt(node(t, "sequence", func(context.Context, *event.Event) (int, *event.Event) { return status, nil }).URL,
				20*time.Millisecond)
			_, err := f.call(t.Context(), "x")
			text, _ := failed(t, err, codes.Unavailable)
			require.Contains(t, text, fmt.Sprintf("responded with HTTP %d", status))
		})
	}
	t.Run("another refusal is final", func(t *testing.T) {
		f := newFixture(t)
		var posts atomic.Int32
		f.viaSequenceAt(node(t, "sequence", func(context.Context, *event.Event) (int, *event.Event) {
			posts.Add(1)
			return http.StatusBadRequest, nil
		}).URL, time.Minute)
		_, err := f.call(t.Context(), "x")
		failed(t, err, codes.Unavailable)
		require.EqualValues(t, 1, posts.Load())
	})
}
