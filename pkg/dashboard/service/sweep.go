package service

import (
	"context"
	"sync"
	"time"
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
	var checks sync.WaitGroup
	slots := make(chan struct{}, maxChecks)
	for key, known := range u.forgetIdle() {
		slots <- struct{}{}
		checks.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, u.patience)
			defer cancel()
			if _, err := known.client.User(ctx); isUnauthorized(err) {
				u.drop(key, errOver)
			}
		})
	}
	checks.Wait()
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
