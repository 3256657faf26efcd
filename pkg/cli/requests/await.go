package requests

import (
	"context"
	"time"

	"krt.dev/kn-krt/pkg/inspection"
)

const (
	// settleTime is how long a request that has its response may take until it is kept with all
	// its messages: nodes send copies of theirs without waiting.
	settleTime = 2 * time.Second
	// firstPause is between the first tries to get it; the next ones are longer, up to longestPause.
	firstPause   = 20 * time.Millisecond
	longestPause = 500 * time.Millisecond
)

// Await returns a request that has its response as soon as it is kept with all its messages.
// For the work behind an early reply it waits no longer than patience: working says that this
// has not ended then.
func Await(ctx context.Context, from Source, id string, patience time.Duration) (r *inspection.Request, working bool, err error) {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		r, err = from.Get(ctx, id)
		waited := time.Since(began)
		if err != nil && (!NotKept(err) || waited > settleTime) {
			return nil, false, err
		}
		if err == nil {
			working = r.Early == "reply" && r.Rest == nil && !r.Background
			if settled(r, working, waited, patience) {
				return r, working, nil
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// settled reports whether nothing more is waited for.
func settled(r *inspection.Request, working bool, waited, patience time.Duration) bool {
	if working {
		return waited > patience
	}
	return waited > settleTime || complete(r)
}

// complete reports whether all messages of the request that are to be kept are there.
func complete(r *inspection.Request) bool {
	if !r.Inspected {
		return true
	}
	steps := r.AllSteps()
	for i, s := range steps {
		none := s.Outcome == "error" || r.Stream.Empty() && i == len(steps)-1
		if s.Output == nil && !none {
			return false
		}
	}
	return r.Failed() || r.Output != nil || r.Stream.Empty()
}
