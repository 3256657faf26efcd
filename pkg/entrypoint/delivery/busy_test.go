package delivery

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A node that refuses an event just before its deadline has held it until then: the deadline is what the client is
// told, and what the event has waited for. One that refuses it earlier is an error of its own.
func TestABusyNodeIsNamedByTheDeadline(t *testing.T) {
	full := &responseError{status: http.StatusServiceUnavailable, text: "busy: no worker was free"}
	for name, c := range map[string]struct {
		left  time.Duration
		again bool
		doing string
	}{
		"just before": {100 * time.Millisecond, true, "did not accept the event: busy: no worker was free"},
		"earlier":     {time.Minute, false, "was processing the event"},
	} {
		t.Run(name, func(t *testing.T) {
			r, now := &Request{}, time.Now()
			r.Begin(now.Add(c.left), false)
			w := patience{begin: now.Add(-time.Hour), delay: time.Millisecond}
			pause, again := w.next(r, full)
			require.Equal(t, c.again, again)
			require.Equal(t, c.doing, r.Doing())
			if again {
				require.Greater(t, pause, c.left, "the deadline ends it")
			}
		})
	}
	r := &Request{}
	r.Begin(time.Now().Add(time.Minute), true)
	w := patience{begin: time.Now().Add(-time.Hour), delay: time.Millisecond}
	_, again := w.next(r, errors.New("it is away"))
	require.True(t, again, "nobody waits")
	require.Equal(t, "did not accept the event: it is away", r.Doing())
}
