package entrypoint_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// TestANodeThatDiesBehindItsReplyIsUnended: its step is counted once, and its span is known.
func TestANodeThatDiesBehindItsReplyIsUnended(t *testing.T) {
	for _, delivery := range []string{"Direct", "Sequence"} {
		t.Run(delivery, func(t *testing.T) {
			f := newFixture(t)
			o, seen := observed()
			answered := make(chan struct{})
			f.chain(delivery, o, func(_ context.Context, in *event.Event) (int, *event.Event) {
				early := in.Next("/krt/test/v1/a", event.TypeReply, "test.Reply", f.text("test.Reply", "early"))
				early.Steps = in.Steps.Append(ran("a", event.OutcomeReply))
				require.Equal(t, http.StatusAccepted, f.post("/reply", early))
				<-answered
				return http.StatusBadRequest, nil
			}, f.says("b", true))
			_, err := f.call(t.Context(), "x")
			require.NoError(t, err)
			first := seen.take(t, 1)[0]
			require.Equal(t, []any{true, "a reply"}, []any{first.Continued, stepsOf(first)})
			require.Empty(t, first.Unended)
			close(answered)
			f.awaitIdle()
			rest := seen.take(t, 2)[1]
			require.Empty(t, rest.Steps)
			require.Equal(t, first.Steps, rest.Unended)
			require.Equal(t, []any{true, record.EarlyReply}, []any{rest.Background, rest.Early})
			require.Contains(t, f.metrics(), `krt_step_duration_seconds_count{node="a",outcome="reply",workflow="flow"} 1`)
		})
	}
}

// TestAFailureBehindAReplyIsRecordedWhenItComesAfterTheClientsDeadline: with nothing kept of the request, too.
func TestAFailureBehindAReplyIsRecordedWhenItComesAfterTheClientsDeadline(t *testing.T) {
	t.Parallel()
	inTime(t, 3*time.Second, func(patience time.Duration) bool {
		f := newFixture(t)
		o, seen := observed()
		f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
			if f.post("/reply", f.replyTo(in, "early")) != http.StatusAccepted { // the client has gone
				return http.StatusAccepted, nil
			}
			assert.False(t, outlast(ctx, in))
			failed := in.Fail("/krt/test/v1/a", event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "no", Node: "a"})
			failed.Replied, failed.Deadline = true, time.Now().Add(time.Minute)
			assert.Equal(t, http.StatusAccepted, f.post("/reply", failed))
			return http.StatusAccepted, nil
		})), o)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := f.call(ctx, "x")
		if status.Code(err) == codes.DeadlineExceeded {
			return false
		}
		require.NoError(t, err)
		f.awaitIdle()
		rest := seen.take(t, 2)[1]
		require.Equal(t, []any{true, code.Code_INTERNAL, "no", "a"}, []any{rest.Background, rest.Code, rest.Error, rest.Node})
		return true
	})
}
