package delivery

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// maxBusyPause bounds the pause before a busy node is tried again.
const maxBusyPause = 3 * time.Second

// patience is how a node that is too busy to accept an event is tried again.
type patience struct {
	begin time.Time
	delay time.Duration
}

// busy reports whether err is a node's response that it holds as many events as it
// may: it has the header Retry-After, and the node has not read the event.
func busy(err error) bool {
	var response *responseError
	return errors.As(err, &response) && response.status == http.StatusServiceUnavailable && response.header.Get("Retry-After") != ""
}

// next is how long to pause before a busy node is tried again. It reports false when
// that is of no use any more: a client waits that has a quarter of its time left, so
// that it learns the cause, and not only that it took too long.
func (w *patience) next(r *Request) (pause time.Duration, again bool) {
	// Spread: those refused together would come back together.
	pause = w.delay/2 + rand.N(w.delay/2+1)
	w.delay = min(2*w.delay, maxBusyPause)
	if !r.Detached() {
		left := r.Deadline().Sub(w.begin)*3/4 - time.Since(w.begin)
		if left <= 0 {
			return 0, false
		}
		pause = min(pause, left)
	}
	r.busy.Store(true) // until the next attempt, and for good where the pause is cut short
	return pause, true
}
