package guard

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// EndedError is the cause of a request's context that ends because what has let the request in does
// not count any more. Streams of pages report it.
type EndedError struct{ Text string }

// Error is the text.
func (e *EndedError) Error() string { return e.Text }

// Ended is the [EndedError] with which the context of a request has ended; nil if it has not.
func Ended(request context.Context) error {
	var ended *EndedError
	if errors.As(context.Cause(request), &ended) {
		return ended
	}
	return nil
}

// errSignedOut is the cause for requests that were open at a sign-out.
var errSignedOut = &EndedError{"You have signed out. Load this page again to sign in."}

// visits are the requests that are open, by the cookie that has let them in, so that they end with it.
// The zero value has none.
type visits struct {
	mu   sync.Mutex
	open map[hash]map[*http.Request]context.CancelCauseFunc
}

// enter returns the request with a context that end ends. leave must be called after it.
func (v *visits) enter(r *http.Request, key hash) (visit *http.Request, leave func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	visit = r.WithContext(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open == nil {
		v.open = map[hash]map[*http.Request]context.CancelCauseFunc{}
	}
	if v.open[key] == nil {
		v.open[key] = map[*http.Request]context.CancelCauseFunc{}
	}
	v.open[key][visit] = cancel
	return visit, func() {
		cancel(nil)
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.open[key], visit)
		if len(v.open[key]) == 0 {
			delete(v.open, key)
		}
	}
}

// end ends the requests that are open.
func (v *visits) end(key hash, cause error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, cancel := range v.open[key] {
		cancel(cause)
	}
}
