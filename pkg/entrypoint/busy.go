package entrypoint

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// maxBusyPause bounds the pause before a busy node is asked again.
const maxBusyPause = 3 * time.Second

// patience is how a node is tried again that is too busy to take an event.
type patience struct {
	begin time.Time
	delay time.Duration
}

// busy says whether err is a node's answer that it holds as many events as it
// may: it says when to come back, and has not looked at the event.
func busy(err error) bool {
	var answered *answerError
	return errors.As(err, &answered) && answered.status == http.StatusServiceUnavailable && answered.header.Get("Retry-After") != ""
}

// wait pauses before a busy node is asked again. It reports false when that is of
// no use any more: ctx is done, or a quarter of the time is left of a caller who
// waits, who is told why then, and not just that it took too long.
func (w *patience) wait(ctx context.Context, x *exchange, progress *Progress) bool {
	// Spread: those refused together would come back together.
	delay := w.delay/2 + rand.N(w.delay/2+1)
	w.delay = min(2*w.delay, maxBusyPause)
	if !progress.replied() {
		left := progress.until().Sub(w.begin)*3/4 - time.Since(w.begin)
		if left <= 0 {
			return false
		}
		delay = min(delay, left)
	}
	progress.refused.Store(true) // and stays so where the wait is cut short
	if !x.pause(ctx, delay) {
		return false
	}
	progress.refused.Store(false)
	return true
}
