package entrypoint_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
)

// replies posts an early reply with the incoming text and returns at once.
func (f *fixture) replies(in *event.Event) {
	f.post("/reply", in.Next("/krt/test/v1/a", event.TypeReply, "test.Reply", f.text("test.Reply", f.textOf(in.Data))))
}

func TestEarlyRepliesOfManyCallersMeetTheirOwnAndEveryWorkflowGoesOn(t *testing.T) {
	f := newFixture(t)
	var finished sync.WaitGroup
	const callers = 200
	finished.Add(callers)
	early := func(_ context.Context, in *event.Event) (int, *event.Event) {
		f.replies(in)
		return http.StatusOK, in.Next("/krt/test/v1/a", event.TypeMessage, "test.Request", in.Data)
	}
	last := func(_ context.Context, in *event.Event) (int, *event.Event) {
		finished.Done()
		return http.StatusOK, in.Next("/krt/test/v1/b", event.TypeMessage, "test.Reply", f.text("test.Reply", "late"))
	}
	f.serve(f.version(node(t, "a", early), node(t, "b", last)), quick())
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			got, err := f.call(t.Context(), fmt.Sprint(i))
			if err != nil || got != fmt.Sprint(i) {
				t.Errorf("caller %d got %q, %v", i, got, err)
			}
		})
	}
	all.Wait()
	finished.Wait()
}

func TestAStepTakenOverIsTriedAgain(t *testing.T) {
	f := newFixture(t)
	var runs atomic.Int32
	done, answered := make(chan struct{}), make(chan struct{})
	flaky := func(_ context.Context, in *event.Event) (int, *event.Event) {
		if runs.Add(1) == 1 {
			f.replies(in)
			<-answered // so that the caller is gone when this run fails
			return http.StatusServiceUnavailable, nil
		}
		close(done)
		return http.StatusOK, in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "late"))
	}
	f.serve(f.version(node(t, "a", flaky)), quick())
	got, err := f.call(t.Context(), "early")
	require.NoError(t, err)
	require.Equal(t, "early", got)
	close(answered)
	<-done
}

func TestAChainThatEndsWithoutAnswerIsLate(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.Timeout = 50 * time.Millisecond
	f.serve(f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusAccepted, nil })), o)
	_, err := f.call(t.Context(), "hello")
	failed(t, err, codes.DeadlineExceeded)
}
