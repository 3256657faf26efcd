package entrypoint_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
)

// closed is an address at which nobody listens and nobody else can: connections
// are refused until open makes a listener of it. The address of a listener that has
// been closed may be another test's soon.
func closed(t *testing.T) (address string, open func() net.Listener) {
	t.Helper()
	socket, url := taken(t)
	return strings.TrimPrefix(url, "http://"), func() net.Listener {
		require.NoError(t, syscall.Listen(int(socket.Fd()), 128))
		l, err := net.FileListener(socket)
		require.NoError(t, err)
		return l
	}
}

func TestAShortcutIsUsed(t *testing.T) {
	f := newFixture(t)
	a, b := node(t, "a", f.says("a", false)), node(t, "b", f.says("b", true))
	a.Shortcut = node(t, "a", f.says("short", false)).URL
	f.serve(f.version(a, b), quick())
	for range 3 {
		got, err := f.call(t.Context(), "x")
		require.NoError(t, err)
		require.Equal(t, "x>short>b", got)
	}
}

func TestAShortcutThatIsRefusedGivesWayUntilItIsNot(t *testing.T) {
	f := newFixture(t)
	address, open := closed(t)
	step := node(t, "a", f.says("usual", true))
	step.Shortcut = "http://" + address
	o := quick()
	o.Retry.Count = -1 // the other way is no retry
	f.serve(f.version(step), o)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got, err := f.call(t.Context(), "x"); err != nil || got != "x>usual" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	wg.Wait()

	pod := httptest.NewUnstartedServer(named("a", f.says("short", true)))
	require.NoError(t, pod.Listener.Close())
	pod.Listener = open()
	pod.Start()
	t.Cleanup(pod.Close)
	require.Eventually(t, func() bool {
		got, err := f.call(t.Context(), "x")
		require.NoError(t, err)
		return got == "x>short"
	}, time.Minute, 10*time.Millisecond)
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>short", got)
}

// The address of the pod may be another's for as long as kube-proxy does not know better.
func TestAShortcutToAnotherNodeIsNotUsed(t *testing.T) {
	f := newFixture(t)
	var others atomic.Int32
	step := node(t, "a", f.says("usual", true))
	step.Shortcut = node(t, "b", func(context.Context, *event.Event) (int, *event.Event) {
		others.Add(1)
		return http.StatusInternalServerError, nil
	}).URL
	o := quick()
	o.Retry.Count = -1
	f.serve(f.version(step), o)
	for range 3 {
		got, err := f.call(t.Context(), "x")
		require.NoError(t, err)
		require.Equal(t, "x>usual", got)
	}
	require.Zero(t, others.Load())
}

// What the pod has seen is tried again as any other way: it may not be sent twice
// in one attempt.
func TestAResponseByAShortcutIsNoReasonToLeaveIt(t *testing.T) {
	f := newFixture(t)
	var tries, others atomic.Int32
	says := f.says("short", true)
	step := node(t, "a", func(context.Context, *event.Event) (int, *event.Event) {
		others.Add(1)
		return http.StatusServiceUnavailable, nil
	})
	step.Shortcut = node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		switch tries.Add(1) {
		case 1:
			return http.StatusServiceUnavailable, nil
		case 2:
			panic(http.ErrAbortHandler) // no response
		}
		return says(ctx, in)
	}).URL
	f.serve(f.version(step), quick())
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>short", got)
	require.Equal(t, int32(3), tries.Load())
	require.Zero(t, others.Load())
}

func TestWithoutAnyWayTheNodeIsNamed(t *testing.T) {
	f := newFixture(t)
	step := node(t, "a", f.says("a", true))
	short, _ := closed(t)
	usual, _ := closed(t)
	step.Shortcut, step.URL = "http://"+short, "http://"+usual
	f.serve(f.version(step), quick())
	_, err := f.call(t.Context(), "x")
	text, info := failed(t, err, codes.Unavailable)
	require.Equal(t, `node "a" cannot be reached: dial tcp `+usual+`: connect: connection refused`, text)
	require.Equal(t, "a", info.GetMetadata()["node"])
}
