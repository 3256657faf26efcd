package entrypoint_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

// viaSequence serves one workflow whose Sequence is h.
func (f *fixture) viaSequence(h handle) *fixture {
	v := f.version(entrypoint.Step{Node: "a"})
	v.Workflows[0].Address = node(f.t, "sequence", h).URL
	return f.serve(v, quick())
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
	f.viaSequence(func(context.Context, *event.Event) (int, *event.Event) { return http.StatusInternalServerError, nil })
	_, err := f.call(t.Context(), "x")
	text, _ := failed(t, err, codes.Unavailable)
	require.Contains(t, text, "answered 500: a test's node says so")
}

func TestASequenceWhoseConnectionBreaksIsSaidAtOnce(t *testing.T) {
	f := newFixture(t)
	f.viaSequence(func(context.Context, *event.Event) (int, *event.Event) { panic(http.ErrAbortHandler) })
	_, err := f.call(t.Context(), "x")
	text, _ := failed(t, err, codes.Unavailable)
	require.Contains(t, text, "cannot be reached")
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
