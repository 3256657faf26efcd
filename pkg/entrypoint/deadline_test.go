package entrypoint_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// TestADeadlineIsRecordedAsOne: a gRPC client ends its call when its deadline passes, often
// before the same deadline has passed here. These end theirs then by what the node knows of it.
func TestADeadlineIsRecordedAsOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	o, seen := observed()
	const calls = 8
	begun := make(chan time.Time, calls)
	f.serve(f.version(node(t, "slow", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		begun <- in.Deadline
		<-ctx.Done()
		return http.StatusAccepted, nil
	})), o)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const patience = 5 * time.Second
	var all sync.WaitGroup
	for range calls {
		all.Go(func() { _, _ = f.call(promised{ctx, time.Now().Add(patience)}, "x") })
	}
	var last time.Time
	for range calls {
		if deadline := <-begun; deadline.After(last) {
			last = deadline
		}
	}
	<-time.After(time.Until(last) - patience/20)
	cancel()
	all.Wait()
	f.awaitIdle()
	for _, r := range seen.take(t, calls) {
		require.Equal(t, []string{"DEADLINE_EXCEEDED", "slow", event.ReasonDeadline}, []string{r.Code.String(), r.Node, r.Reason})
		require.Equal(t, record.ResultGaveUp, r.Sends[0].Result)
	}
}

func TestACallThatIsCancelledInTimeIsRecordedAsCancelled(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	f.serve(f.version(node(t, "slow", func(at context.Context, _ *event.Event) (int, *event.Event) {
		cancel()
		<-at.Done()
		return http.StatusAccepted, nil
	})), o)
	_, err := f.call(ctx, "x")
	failed(t, err, codes.Canceled)
	f.awaitIdle()
	require.Equal(t, code.Code_CANCELLED, seen.take(t, 1)[0].Code)
}

// TestAnErrorHasBeenAccepted: a runner sends its error to the reply port before it responds.
func TestAnErrorHasBeenAccepted(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	answered := make(chan struct{})
	f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		no := event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "no", Node: "a"}
		f.post("/reply", in.Fail("/krt/test/v1/a", no))
		<-answered
		return http.StatusAccepted, nil
	})), o)
	_, err := f.call(t.Context(), "x")
	failed(t, err, codes.Internal)
	close(answered)
	f.awaitIdle()
	r := seen.take(t, 1)[0]
	require.Equal(t, []any{"a", record.ResultOK}, []any{r.Node, r.Sends[0].Result})
	require.Equal(t, event.OutcomeError, r.NodeTimes()[0].Outcome)
	require.Contains(t, f.metrics(), `krt_step_attempts_total{node="a",result="ok",workflow="flow"} 1`)
}
