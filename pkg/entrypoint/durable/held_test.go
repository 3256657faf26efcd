package durable_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// A response that no letter may have is said to be too large, and not kept as an empty one.
func TestAResultThatIsTooLargeIsAFailure(t *testing.T) {
	v := start(t)
	v.options = func(o *entrypoint.Options) { o.MaxMessageBytes = 2 * letter.MaxData }
	r := v.serve()
	v.nodes[2].works(func(_ context.Context, in *event.Event, _ string) (int, *event.Event) {
		return http.StatusOK, v.nodes[2].next(in, string(make([]byte, letter.MaxData)))
	})
	l := v.letters.await(t, letter.Result, r.accepted("x"))
	require.Empty(t, l.Data)
	require.NotNil(t, l.Status)
	require.Equal(t, []string{"RESOURCE_EXHAUSTED", event.ReasonTooLarge}, []string{l.Status.Code, l.Status.Reason})
	require.Contains(t, l.Status.Message, "the response of 8388613 bytes was not kept: it is larger than the 8388608")
	r.empty()
}
