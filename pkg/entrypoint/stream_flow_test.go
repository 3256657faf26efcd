package entrypoint_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/runner/event"
)

// gated runs a node that sends one message, and two more once it may go on.
func (f *fixture) gated(name string) (h streamer, goOn chan struct{}) {
	goOn = make(chan struct{})
	return func(ctx context.Context, _ *event.Event, send func(string) bool) event.End {
		send(name + "1")
		select {
		case <-goOn:
		case <-ctx.Done():
			return event.End{}
		}
		send(name + "2")
		send(name + "3")
		return event.End{}
	}, goOn
}

func TestTheFirstMessageComesBeforeTheEnd(t *testing.T) {
	f := newFixture(t)
	h, goOn := f.gated("a")
	f.serve(f.streaming(node(t, "first", f.says("first", false)), f.streams("a", h)), quick())
	s := f.open(metadata.AppendToOutgoingContext(t.Context(), "krt-trace", "1"), "x")
	first, err := s.next()
	require.NoError(t, err)
	require.Equal(t, "a1", first)
	close(goOn)
	rest, err := s.all()
	require.NoError(t, err)
	require.Equal(t, []string{"a2", "a3"}, rest)
	require.Contains(t, s.Trailer().Get("krt-steps")[0], "entrypoint")
	f.awaitNothing(t)
}

// A client that does not read holds the node: neither the entrypoint nor anything else takes all
// of what it sends.
func TestASlowClientHoldsTheNode(t *testing.T) {
	f := newFixture(t)
	const total, size = 1024, 64 << 10
	sent, ended := atomic.Int64{}, make(chan struct{})
	f.serve(f.streaming(f.streams("a", func(_ context.Context, _ *event.Event, send func(string) bool) event.End {
		defer close(ended)
		for range total {
			if !send(strings.Repeat("x", size)) {
				break
			}
			sent.Add(1)
		}
		return event.End{}
	})), quick())
	ctx, cancel := context.WithCancel(t.Context())
	s := f.open(ctx, "x")
	_, err := s.next()
	require.NoError(t, err)
	require.Eventually(t, func() bool { return f.held() >= 128<<10 }, time.Minute, time.Millisecond, "the queue is full")
	require.Less(t, f.held(), int64(512<<10))
	cancel()
	<-ended
	require.Less(t, sent.Load(), int64(total))
	f.awaitNothing(t)
}

func TestAStreamGoesOnWhenAnotherVersionIsServed(t *testing.T) {
	f := newFixture(t)
	h, goOn := f.gated("a")
	f.serve(f.streaming(f.streams("a", h)), quick())
	s := f.open(t.Context(), "x")
	_, err := s.next()
	require.NoError(t, err)
	drained, err := f.entry.Update(f.streaming(node(t, "b", f.says("b", true))))
	require.NoError(t, err)
	got, err := f.open(t.Context(), "x").all()
	require.NoError(t, err)
	require.Equal(t, []string{"x>b"}, got)
	select {
	case <-drained:
		t.Error("the old version has no request left, says Update")
	default:
	}
	close(goOn)
	got, err = s.all()
	require.NoError(t, err)
	require.Equal(t, []string{"a2", "a3"}, got)
	<-drained
}

func TestAStopWaitsForStreams(t *testing.T) {
	f := newFixture(t)
	h, goOn := f.gated("a")
	f.serve(f.streaming(f.streams("a", h)), quick())
	s := f.open(t.Context(), "x")
	_, err := s.next()
	require.NoError(t, err)
	f.stop()
	require.Eventually(t, func() bool { // it is stopping
		res, err := http.Get(f.reply + "/readyz")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusServiceUnavailable
	}, time.Minute, time.Millisecond)
	close(goOn)
	got, err := s.all()
	require.NoError(t, err)
	require.Equal(t, []string{"a2", "a3"}, got)
	require.NoError(t, <-f.done)
}

func TestACancelledStreamEndsTheNodes(t *testing.T) {
	f := newFixture(t)
	ended := make(chan struct{})
	f.serve(f.streaming(f.streams("a", func(ctx context.Context, _ *event.Event, send func(string) bool) event.End {
		send("1")
		<-ctx.Done()
		close(ended)
		return event.End{}
	})), quick())
	ctx, cancel := context.WithCancel(t.Context())
	s := f.open(ctx, "x")
	_, err := s.next()
	require.NoError(t, err)
	cancel()
	<-ended
	f.awaitNothing(t)
	f.awaits(`krt_requests_total{code="CANCELLED",workflow="flow"} 1`)
}

// The time of a request whose client does not read is bounded too.
func TestADeadlineEndsASendThatWaits(t *testing.T) {
	t.Parallel()
	inTime(t, 2*time.Second, func(patience time.Duration) bool {
		f := newFixture(t)
		o := quick()
		o.Timeout, o.StreamTimeout = patience, patience
		ended := make(chan struct{})
		f.serve(f.streaming(f.streams("a", func(_ context.Context, _ *event.Event, send func(string) bool) event.End {
			defer close(ended)
			for send(strings.Repeat("x", 64<<10)) { // until it breaks
			}
			return event.End{}
		})), o)
		s := f.open(t.Context(), "x")
		f.awaits(`krt_requests_total{code="DEADLINE_EXCEEDED",workflow="flow"} 1`)
		f.awaits("krt_requests_in_flight 0")
		got, err := s.all()
		failed(t, err, codes.DeadlineExceeded)
		if len(got) == 0 { // no message has come in time
			return false
		}
		<-ended
		f.awaitNothing(t)
		return true
	})
}

func TestAStreamOnWhichNothingComesEnds(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.StreamIdle = 50 * time.Millisecond
	ended := make(chan struct{})
	f.serve(f.streaming(f.streams("a", func(ctx context.Context, _ *event.Event, send func(string) bool) event.End {
		send("1")
		<-ctx.Done()
		close(ended)
		return event.End{}
	})), o)
	got, err := f.open(t.Context(), "x").all()
	require.Equal(t, []string{"1"}, got)
	text, info := failed(t, err, codes.DeadlineExceeded)
	require.Equal(t, `node "a" has sent no message for 50ms`, text)
	require.Equal(t, event.ReasonDeadline, info.GetReason())
	<-ended
	f.awaitNothing(t)
}

// An early reply is the last message: the client's stream ends, and the work goes on.
func TestAnEarlyReplyEndsTheStream(t *testing.T) {
	f := newFixture(t)
	first, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	f.serve(f.streaming(f.streams("a", func(ctx context.Context, in *event.Event, send func(string) bool) event.End {
		send("1")
		<-first // what goes two ways has no order
		f.post("/reply", in.Next("/krt/test/v1/a", event.TypeReply, "test.Reply", f.text("test.Reply", "early")))
		<-goOn
		ended <- ctx.Err()
		return event.End{}
	})), quick())
	s := f.open(t.Context(), "x")
	got, err := s.next()
	close(first)
	rest, errRest := s.all()
	close(goOn)
	require.NoError(t, err)
	require.NoError(t, errRest)
	require.Equal(t, []string{"1", "early"}, append([]string{got}, rest...))
	require.NoError(t, <-ended)
	f.awaitNothing(t)
}

// TestStreamCrowd: each of a thousand clients at once gets its own messages, in order.
func TestStreamCrowd(t *testing.T) {
	f := newFixture(t)
	const streams, messages = 1000, 100
	o := quick()
	o.Retry.Count = 100 // on a busy machine a thousand connections at once take longer than one may
	f.serve(f.streaming(f.streams("a", func(_ context.Context, in *event.Event, send func(string) bool) event.End {
		for i := range messages {
			send(fmt.Sprintf("%s %d", f.textOf(in.Data), i))
		}
		return event.End{}
	})), o)
	done := make(chan error, streams)
	for n := range streams {
		s := f.open(t.Context(), fmt.Sprint(n))
		go func() {
			got, err := s.all()
			if want := messages; err == nil && len(got) != want {
				err = fmt.Errorf("client %d got %d messages, want %d", n, len(got), want)
			}
			for i, text := range got {
				if text != fmt.Sprintf("%d %d", n, i) {
					err = fmt.Errorf("client %d got %q as its message %d", n, text, i)
				}
			}
			done <- err
		}()
	}
	for range streams {
		require.NoError(t, <-done)
	}
	f.awaitNothing(t)
}
