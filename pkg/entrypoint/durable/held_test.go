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

// A store that refuses the credential, because its key is being changed, loses nothing.
func TestLettersWaitForACredential(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.letters.refuse(&letter.Error{Status: http.StatusForbidden, Text: "the credential is not valid"})
	id := r.accepted("x")
	require.Eventually(t, func() bool {
		status, err := r.carrier.Status(t.Context())
		return err == nil && len(status.Steps) == 4 && status.Steps[3].Redelivered == 1 || v.nodes[2].ran("x>a>b") == 1 && status.Events == 0
	}, patient, 5*time.Millisecond)
	v.letters.setAway(false)
	require.Equal(t, "x>a>b>c", decode(t, v.letters.await(t, letter.Result, id).Data))
	r.empty()
}

// While neither the store nor the queue is there, the replica holds what a node has responded with.
func TestWhatANodeHasDoneIsHeld(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.nodes[2].works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		v.letters.setAway(true)
		r.way.pause(true)
		return http.StatusOK, v.nodes[2].next(in, text+">c")
	})
	id := r.accepted("x")
	require.Eventually(t, func() bool { return v.letters.tried() >= 2 }, patient, time.Millisecond)
	v.nodes[2].works(nil)
	v.letters.setAway(false)
	r.way.pause(false)
	require.Equal(t, "x>a>b>c", decode(t, v.letters.await(t, letter.Result, id).Data))
	r.empty()
	require.Equal(t, 1, v.nodes[2].ran("x>a>b"))
}

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
