package entrypoint_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

// viaSequence serves one workflow whose Sequence is h.
func (f *fixture) viaSequence(h handle) *fixture {
	v := f.version(entrypoint.Step{Node: "a"})
	v.Workflows[0].Address = node(f.t, "sequence", h).URL
	return f.serve(v, quick())
}

// viaSequenceAt serves one workflow with a Sequence that is tried for so long.
func (f *fixture) viaSequenceAt(url string, patience time.Duration) {
	v, o := f.version(entrypoint.Step{Node: "a"}), quick()
	v.Workflows[0].Address = url
	o.Retry.Patience = patience
	f.serve(v, o)
}

func TestASequencesReplyIsTheAnswer(t *testing.T) {
	f := newFixture(t)
	answered := make(chan struct{})
	cancelled := make(chan bool, 1)
	f.viaSequence(func(ctx context.Context, in *event.Event) (int, *event.Event) {
		last := in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))
		require.Equal(t, http.StatusAccepted, f.post("/reply", last))
		<-answered // a channel's 202 comes after the reply
		cancelled <- ctx.Err() != nil
		return http.StatusAccepted, nil
	})
	got, err := f.call(t.Context(), "x")
	close(answered)
	require.NoError(t, err)
	require.Equal(t, "done", got)
	require.False(t, <-cancelled, "the POST was cancelled though the request succeeded")
}

func TestASequenceThatFailsIsSaidAtOnce(t *testing.T) {
	f := newFixture(t)
	var posts atomic.Int32
	f.viaSequence(func(context.Context, *event.Event) (int, *event.Event) {
		posts.Add(1)
		return http.StatusInternalServerError, nil
	})
	_, err := f.call(t.Context(), "x")
	text, _ := failed(t, err, codes.Unavailable)
	require.Contains(t, text, "responded with HTTP 500: a test's node refuses")
	require.EqualValues(t, 1, posts.Load(), "the steps may have run")
}

func TestASequenceWhoseConnectionBreaksIsSaidAtOnce(t *testing.T) {
	f := newFixture(t)
	var posts atomic.Int32
	f.viaSequence(func(context.Context, *event.Event) (int, *event.Event) {
		posts.Add(1)
		panic(http.ErrAbortHandler)
	})
	_, err := f.call(t.Context(), "x")
	text, _ := failed(t, err, codes.Unavailable)
	require.Contains(t, text, "cannot be reached")
	require.EqualValues(t, 1, posts.Load(), "the steps may have run")
}

// A restarted dispatcher responds like this until it knows its channels.
func TestASequenceThatIsNotKnownYetIsReached(t *testing.T) {
	f := newFixture(t)
	var posts atomic.Int32
	known := handle(func(_ context.Context, in *event.Event) (int, *event.Event) {
		last := in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))
		assert.Equal(t, http.StatusAccepted, f.post("/reply", last))
		return http.StatusAccepted, nil
	})
	f.viaSequenceAt(serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if posts.Add(1) < 3 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		known.ServeHTTP(w, r)
	}), time.Minute)
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "done", got)
	require.EqualValues(t, 3, posts.Load())
}

// A channel responds like this when it has the event and cannot deliver it.
func TestASequencesOwnFailureIsSaidAtOnce(t *testing.T) {
	f := newFixture(t)
	var posts atomic.Int32
	f.viaSequenceAt(serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		posts.Add(1)
		w.Header().Set("Allow", "POST, OPTIONS")
		w.WriteHeader(http.StatusInternalServerError)
	}), time.Minute)
	_, err := f.call(t.Context(), "x")
	text, _ := failed(t, err, codes.Unavailable)
	require.Contains(t, text, "responded with HTTP 500")
	require.EqualValues(t, 1, posts.Load(), "the steps may have run")
}

// serveHTTP serves h until the test ends.
func serveHTTP(t *testing.T, h http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// taken is an address that takes no connection, and the socket that holds it.
func taken(t *testing.T) (socket *os.File, url string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	socket = os.NewFile(uintptr(fd), "sequence")
	t.Cleanup(func() { _ = socket.Close() })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	bound, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	return socket, fmt.Sprintf("http://127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}

// down serves one workflow whose Sequence takes no connection.
func (f *fixture) down(patience time.Duration) (socket *os.File) {
	socket, url := taken(f.t)
	f.viaSequenceAt(url, patience)
	return socket
}

// awaitRetry waits until an exchange has been tried again.
func (f *fixture) awaitRetry() {
	require.Eventually(f.t, func() bool { return !strings.Contains(f.metrics(), "krt_step_retries_total 0") }, time.Minute, time.Millisecond)
}

func TestASequenceThatComesBackIsReached(t *testing.T) {
	f := newFixture(t)
	socket := f.down(time.Minute)
	answer := make(chan string, 1)
	go func() {
		got, err := f.call(context.Background(), "x")
		assert.NoError(t, err)
		answer <- got
	}()
	f.awaitRetry()
	var posts atomic.Int32
	sequence := httptest.NewUnstartedServer(handle(func(_ context.Context, in *event.Event) (int, *event.Event) {
		posts.Add(1)
		last := in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))
		assert.Equal(t, http.StatusAccepted, f.post("/reply", last))
		return http.StatusAccepted, nil
	}))
	require.NoError(t, syscall.Listen(int(socket.Fd()), 8))
	listener, err := net.FileListener(socket)
	require.NoError(t, err)
	require.NoError(t, sequence.Listener.Close())
	sequence.Listener = listener
	sequence.Start()
	t.Cleanup(sequence.Close)
	require.Equal(t, "done", <-answer)
	require.EqualValues(t, 1, posts.Load())
}

func TestASequenceThatTakesNoConnectionIsSaid(t *testing.T) {
	for _, c := range []struct {
		name              string
		patience, timeout time.Duration
	}{
		{"when patience ends", 20 * time.Millisecond, time.Minute},
		{"before the deadline", time.Minute, 4 * time.Second}, // a quarter of which is left then
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.down(c.patience)
			inTime(t, c.timeout, func(timeout time.Duration) bool {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				_, err := f.call(ctx, "x")
				if status.Code(err) == codes.DeadlineExceeded {
					return false
				}
				text, _ := failed(t, err, codes.Unavailable)
				require.Regexp(t, `^the Sequence http://127.0.0.1:\d+ cannot be reached: dial tcp .*connection refused`, text)
				return true
			})
		})
	}
}

func TestACallerThatCancelsEndsTheTriesForASequence(t *testing.T) {
	f := newFixture(t)
	f.down(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := f.call(ctx, "x")
		ended <- err
	}()
	f.awaitRetry()
	cancel()
	failed(t, <-ended, codes.Canceled)
	require.Eventually(t, func() bool { return strings.Contains(f.metrics(), "krt_requests_in_flight 0") }, time.Minute, time.Millisecond)
}

func TestACallerThatCancelsCancelsTheSequence(t *testing.T) {
	f := newFixture(t)
	begun, cancelled := make(chan struct{}), make(chan struct{})
	f.viaSequence(func(ctx context.Context, _ *event.Event) (int, *event.Event) {
		close(begun)
		<-ctx.Done()
		close(cancelled)
		return http.StatusAccepted, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := f.call(ctx, "x")
	failed(t, err, codes.Canceled)
	<-cancelled
}

// A channel without subscribers takes an event so, and drops it.
func TestAnEventThatWasTakenAndBringsNoReplyIsSaid(t *testing.T) {
	took := func(context.Context, *event.Event) (int, *event.Event) { return http.StatusAccepted, nil }
	for _, c := range []struct{ by, name string }{{"its Sequence", ""}, {`node "a"`, "a"}} {
		t.Run(c.by, func(t *testing.T) {
			t.Parallel()
			inTime(t, 3*time.Second, func(patience time.Duration) bool {
				f, o := newFixture(t), quick()
				o.Timeout = patience
				v := f.version(node(t, "a", took))
				if c.name == "" {
					v.Workflows[0].Address = node(t, "sequence", took).URL
				}
				f.serve(v, o)
				_, err := f.call(t.Context(), "x")
				text, info := failed(t, err, codes.DeadlineExceeded)
				if !strings.Contains(text, "accepted the event") {
					return false
				}
				require.Regexp(t, `^workflow "flow" did not respond in time: `+c.by+` accepted the event within \S+s, and no reply came$`, text)
				require.Equal(t, c.name, info.GetMetadata()["node"])
				return true
			})
		})
	}
}
