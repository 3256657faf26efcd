package service

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// sweep ends what nobody looks at any more, and what is shown to users whose tokens are not
// accepted any more, until ctx is done.
func (u *users) sweep(ctx context.Context) {
	tick := time.NewTicker(u.checkTime)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			u.sweepOnce(ctx)
		}
	}
}

// sweepOnce asks about all tokens that have pages open, as many at a time as are checked for pages. An
// API server that does not respond holds it up for a bounded time, and ends nobody's pages.
func (u *users) sweepOnce(ctx context.Context) {
	var checks errgroup.Group
	checks.SetLimit(maxChecks)
	for key, known := range u.forgetIdle() {
		checks.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, u.patience)
			defer cancel()
			if _, err := known.client.User(ctx); isUnauthorized(err) {
				u.drop(key, errOver)
			}
			return nil
		})
	}
	_ = checks.Wait() // a check that failed ends nobody's pages
}

// forgetIdle ends what has had no page for too long, and returns the others that have one.
func (u *users) forgetIdle() map[key]*user {
	now := u.now()
	u.mu.Lock()
	defer u.mu.Unlock()
	open := map[key]*user{}
	for key, known := range u.known {
		switch {
		case len(known.open) > 0:
			open[key] = known
		case now.Sub(known.used) > idleTime:
			u.forget(key, errGaveWay)
		}
	}
	return open
}
