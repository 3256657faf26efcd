package pyrunner

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/runner"
)

// errLate is the error of a request that has waited for as long as it may.
var errLate = errors.New("it has waited until shortly before its deadline")

// pool holds the workers that wait for a request, and the requests that wait for a
// worker. The worker that was used last is used first: its memory is warm, and the
// others may be swapped out. The request that arrived first goes first, unless its
// deadline is before calls usually end: if more requests arrive than the workers can
// process, the first is always about to expire, and no call would succeed.
type pool struct {
	mu      sync.Mutex
	idle    []*worker
	waiting []waiter
	usual   time.Duration // how long a call takes: a moving average of those that succeeded
	closed  bool
}

// waiter is a request that waits for a worker.
type waiter struct {
	turn     chan *worker // with room for the one worker that it gets
	ctx      context.Context
	deadline time.Time // zero: none
}

// put adds a worker that is ready; false if it is no longer usable, and its connection
// must be closed.
func (p *pool) put(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || w.broken || isDone(w.exited) {
		return false
	}
	if len(p.waiting) == 0 {
		p.idle = append(p.idle, w)
		return true
	}
	i := p.next(time.Now())
	if i < 0 { // all waiting requests have expired
		p.idle = append(p.idle, w)
		return true
	}
	p.waiting[i].turn <- w
	p.waiting = slices.Delete(p.waiting, i, i+1)
	return true
}

// next returns the index of the request whose turn it is, -1 if all have expired.
func (p *pool) next(now time.Time) int {
	first := -1
	for i, waits := range p.waiting {
		left := time.Duration(1)
		if !waits.deadline.IsZero() {
			left = waits.deadline.Sub(now)
		}
		switch {
		case left <= 0 || waits.ctx.Err() != nil:
		case waits.deadline.IsZero() || left > p.usual:
			return i
		case first < 0:
			first = i
		}
	}
	return first
}

// took records how long a successful call took.
func (p *pool) took(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.usual += (d - p.usual) / 8
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// get waits for a worker; nil if ctx or over ends first, or release is called, or, with the error
// errLate, shortly before the deadline, which is zero if there is none.
func (p *pool) get(ctx context.Context, deadline time.Time, over <-chan struct{}) (*worker, error) {
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		w := p.idle[last]
		p.idle = p.idle[:last]
		p.mu.Unlock()
		return w, nil
	}
	turn := make(chan *worker, 1)
	p.waiting = append(p.waiting, waiter{turn, ctx, deadline})
	p.mu.Unlock()
	var late <-chan time.Time
	if by := runner.TurnBy(deadline); !by.IsZero() {
		timer := time.NewTimer(time.Until(by))
		defer timer.Stop()
		late = timer.C
	}
	var err error
	select {
	case w := <-turn:
		return w, nil
	case <-ctx.Done():
	case <-over:
	case <-late:
		err = errLate
	}
	if w := p.leave(turn); w != nil && !p.put(w) {
		_ = w.conn.Close()
	}
	return nil, err
}

// release ends the wait of all requests, because no worker is expected soon.
func (p *pool) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, waits := range p.waiting {
		waits.turn <- nil
	}
	p.waiting = nil
}

// close returns the idle workers and accepts no others.
func (p *pool) close() []*worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := p.idle
	p.idle, p.closed = nil, true
	return idle
}

// leave removes turn from the waiting ones; it returns the worker that turn has got in
// the meantime, if any.
func (p *pool) leave(turn chan *worker) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.waiting, func(waits waiter) bool { return waits.turn == turn }); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return nil
	}
	return <-turn
}

// drop removes w, which has died; false if a call has it.
func (p *pool) drop(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.idle, w)
	if i < 0 {
		return false
	}
	p.idle = slices.Delete(p.idle, i, i+1)
	return true
}

// free waits for a worker that is free.
func (n *node) free(ctx context.Context, deadline time.Time) (*worker, error) {
	w, err := n.pool.get(ctx, deadline, n.life.Done())
	switch {
	case w != nil:
		return w, nil
	case errors.Is(err, errLate):
		return nil, &runner.Unavailable{Err: n.busy(), Later: true}
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, &runner.Unavailable{Err: cmp.Or(context.Cause(n.life), n.Down(), errNoWorker)}
}
