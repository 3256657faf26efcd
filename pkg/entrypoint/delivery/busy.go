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

// Soon is how long before a client's deadline it is no longer told of a busy node otherwise than
// by what has passed: such nodes refuse then what has waited in them until then.
const Soon = 150 * time.Millisecond

// busy reports whether err is a node's response that it was not the event's turn, because
// the node holds as many as it may, or is not ready: it has the header Retry-After.
func busy(err error) bool {
	var response *responseError
	return errors.As(err, &response) && response.status == http.StatusServiceUnavailable && response.header.Get("Retry-After") != ""
}

// next is how long to pause before a busy node is tried again. It reports false when
// that is of no use any more: a client waits that has a quarter of its time left, so
// that it learns the cause, and not only that it took too long.
func (w *patience) next(r *Request, err error) (pause time.Duration, again bool) {
	// Spread: those refused together would come back together.
	pause = w.delay/2 + rand.N(w.delay/2+1)
	w.delay = min(2*w.delay, maxBusyPause)
	if !r.Detached() {
		left := r.Deadline().Sub(w.begin)*3/4 - time.Since(w.begin)
		switch {
		case left > 0:
			pause = min(pause, left)
		case time.Until(r.Deadline()) > Soon:
			return 0, false
		default:
			pause = 2 * Soon
		}
	}
	why := err.Error()
	var response *responseError
	if errors.As(err, &response) && response.text != "" {
		why = response.text
	}
	r.busy.Store(&why) // until the next attempt, and for good where the pause is cut short
	return pause, true
}
