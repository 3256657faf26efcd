package entrypoint_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

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
