package pyrunner

import (
	"context"
	"slices"
	"sync"
)

// pool holds the workers that wait for a request. The one that worked last is
// taken first: its memory is warm, and the others may be swapped out.
type pool struct {
	tokens chan struct{} // one for each idle worker that get has not been promised
	mu     sync.Mutex
	idle   []*worker
}

func newPool(workers int) *pool { return &pool{tokens: make(chan struct{}, workers)} }

// put adds a worker that is ready; false if it is of no use any more.
func (p *pool) put(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.broken || isDone(w.exited) {
		return false
	}
	p.idle = append(p.idle, w)
	p.tokens <- struct{}{} // never blocks: there is room for all workers
	return true
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tryGet takes a worker if one is idle; nil otherwise.
func (p *pool) tryGet() *worker {
	select {
	case <-p.tokens:
		return p.last()
	default:
		return nil
	}
}

// get takes a worker, waiting for one until ctx or over is done; nil then.
func (p *pool) get(ctx context.Context, over <-chan struct{}) *worker {
	for {
		select {
		case <-p.tokens:
		case <-ctx.Done():
			return nil
		case <-over:
			return nil
		}
		if w := p.last(); w != nil {
			return w
		}
	}
}

// last takes the worker that became idle last, for who has a token; nil if the
// token's worker has been dropped.
func (p *pool) last() *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	w := p.idle[last]
	p.idle = p.idle[:last]
	return w
}

// drop takes w, which has died, out; false if somebody has it.
func (p *pool) drop(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.idle, w)
	if i < 0 {
		return false
	}
	p.idle = slices.Delete(p.idle, i, i+1)
	select {
	case <-p.tokens:
	default: // get has it, and will look in vain
	}
	return true
}
