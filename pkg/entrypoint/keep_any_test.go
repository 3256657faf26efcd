package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// The id of a producer's event is any text. It must not cost the letter.
func TestLettersOfEventsWithAnyID(t *testing.T) {
	f := newFixture(t)
	v := f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusInternalServerError, nil }))
	v.Results = time.Hour
	o, s := keeping(t)
	f.serve(v, o)
	for _, id := range []string{strings.Repeat("x", 256), strings.Repeat("%C3%A9", 120), "a%01b", "a%0Ab%FF"} {
		res := f.send(http.MethodPost, "/workflows/flow", `{"text":"x"}`, append(producer(), "Ce-Id", id, "Prefer", "respond-async")...)
		require.Equal(t, http.StatusAccepted, res.StatusCode)
	}
	f.awaitIdle()
	o.Mail.Close(time.Minute)
	require.Equal(t, 4, s.count(letter.Dead))
	require.Equal(t, 4, s.count(letter.Result))
}
