package entrypoint_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
)

// gate is a node that responds with its name once released.
func (f *fixture) gate(name string) (h handle, begun chan struct{}, release chan struct{}) {
	begun, release = make(chan struct{}, 100), make(chan struct{})
	says := f.says(name, true)
	return func(ctx context.Context, in *event.Event) (int, *event.Event) {
		begun <- struct{}{}
		<-release
		return says(ctx, in)
	}, begun, release
}

func TestAnUpdateKeepsRequestsOnTheVersionTheyBeganWith(t *testing.T) {
	f := newFixture(t)
	old, begun, release := f.gate("old")
	f.serve(f.version(node(t, "a", old)), quick())
	first := make(chan string, 1)
	go func() {
		text, err := f.call(context.Background(), "x")
		assert.NoError(t, err)
		first <- text
	}()
	<-begun
	drained, err := f.entry.Update(f.version(node(t, "a", f.says("new", true))))
	require.NoError(t, err)
	got, err := f.call(t.Context(), "y")
	require.NoError(t, err)
	require.Equal(t, "y>new", got)
	select {
	case <-drained:
		t.Fatal("drained while a request of the old version was in flight")
	default:
	}
	close(release)
	require.Equal(t, "x>old", <-first)
	<-drained
}

func TestARefusedUpdateKeepsTheOldVersion(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	_, err := f.entry.Update(f.version())
	require.ErrorContains(t, err, "no steps")
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>a", got)
}

func TestUpdatesUnderLoadLoseNothing(t *testing.T) {
	f := newFixture(t)
	a, b := node(t, "a", f.says("a", true)), node(t, "b", f.says("b", true))
	f.serve(f.version(a), quick())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_, err := f.call(context.Background(), "x")
				assert.NoError(t, err)
			}
		})
	}
	for i := range 50 {
		v := f.version(a)
		if i%2 == 0 {
			v = f.version(b)
		}
		drained, err := f.entry.Update(v)
		require.NoError(t, err)
		<-drained
	}
	wg.Wait()
}

func TestAGracefulStopFinishesWhatIsInFlight(t *testing.T) {
	f := newFixture(t)
	h, begun, release := f.gate("a")
	f.serve(f.version(node(t, "a", h)), quick())
	const callers = 20
	answers := make(chan error, callers)
	for range callers {
		go func() {
			_, err := f.call(context.Background(), "x")
			answers <- err
		}()
	}
	for range callers {
		<-begun
	}
	f.stop()
	require.EventuallyWithT(t, func(c *assert.CollectT) { // replies are still accepted, but no new clients
		res, err := http.Get(f.reply + "/readyz")
		require.NoError(c, err)
		defer res.Body.Close()
		require.Equal(c, http.StatusServiceUnavailable, res.StatusCode)
	}, time.Minute, time.Millisecond)
	close(release)
	for range callers {
		require.NoError(t, <-answers)
	}
	require.NoError(t, <-f.done)
}

func TestAStopThatTakesTooLongIsForced(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.ConnectionGrace = 10 * time.Millisecond
	begun := make(chan struct{})
	f.serve(f.version(node(t, "stuck", func(ctx context.Context, _ *event.Event) (int, *event.Event) {
		close(begun)
		<-ctx.Done()
		return http.StatusAccepted, nil
	})), o)
	answer := make(chan error, 1)
	go func() {
		_, err := f.call(context.Background(), "x")
		answer <- err
	}()
	<-begun
	f.stop()
	require.ErrorContains(t, <-f.done, "1 requests unfinished")
	require.Error(t, <-answer)
}

// TestAWorkflowBehindAnEarlyReplyIsWaitedFor: that of a version which has been
// replaced meanwhile too.
func TestAWorkflowBehindAnEarlyReplyIsWaitedFor(t *testing.T) {
	for _, updates := range []int{0, 3} {
		f := newFixture(t)
		release, finished := make(chan struct{}), make(chan error, 1)
		f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
			f.post("/reply", f.replyTo(in, "early"))
			select {
			case <-release:
			case <-ctx.Done():
			}
			finished <- ctx.Err()
			return http.StatusAccepted, nil
		})), quick())
		_, err := f.call(t.Context(), "x")
		require.NoError(t, err)
		for range updates {
			_, err := f.entry.Update(f.version(node(t, "b", f.says("b", true))))
			require.NoError(t, err)
		}
		f.stop()
		require.Eventually(t, func() bool { // it stops, and waits for what is left
			conn, err := net.Dial("tcp", f.grpc)
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		}, time.Minute, time.Millisecond)
		select {
		case err := <-f.done:
			t.Fatalf("it stopped before the work had ended: %v", err)
		case err := <-finished:
			t.Fatalf("the work was ended: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
		close(release)
		require.NoError(t, <-finished)
		require.NoError(t, <-f.done)
	}
}

func TestAStoppedEntrypointAnswersNobody(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	f.stop()
	require.NoError(t, <-f.done)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := f.call(ctx, "x")
	failed(t, err, codes.Unavailable)
}
