package entrypoint

import (
	"context"
	"sync"
	"time"
)

// guard watches over the link that a request uses, whichever it is. It ends all
// that is done there when a context is done. It can also end only the wait for a
// node's answer, for whoever waits to have something else to do; the answer can
// then be waited for again under another guard.
type guard struct {
	sync.Mutex
	link     *link // nil between two exchanges
	waiting  bool  // for an answer's first byte: nothing is lost by stopping
	ended    bool
	relieved bool
	stop     func() bool
}

// past is a deadline that ends at once what a link is at.
var past = time.Unix(1, 0)

// watch ends what is done under g when ctx is done, until g.stop is called.
func (g *guard) watch(ctx context.Context) { g.stop = context.AfterFunc(ctx, g.end) }

func (g *guard) end() {
	g.Lock()
	defer g.Unlock()
	g.ended = true
	if g.link != nil {
		_ = g.link.SetDeadline(past)
	}
}

// relieve ends the wait for an answer, now or when it is about to begin.
func (g *guard) relieve() {
	g.Lock()
	defer g.Unlock()
	g.relieved = true
	if g.waiting {
		_ = g.link.SetReadDeadline(past)
	}
}

// take begins to watch over l.
func (g *guard) take(l *link) {
	g.Lock()
	defer g.Unlock()
	if g.link = l; g.ended {
		_ = l.SetDeadline(past)
	}
}

// leave ends the watch. It reports whether the link may be used again: nothing
// has ended what was done there.
func (g *guard) leave() bool {
	g.Lock()
	defer g.Unlock()
	g.link = nil
	return !g.ended
}

// beginWait reports false when the wait is not to begin.
func (g *guard) beginWait() bool {
	g.Lock()
	defer g.Unlock()
	g.waiting = !g.relieved
	return g.waiting
}

// endWait reports whether the wait was, or has just been, ended by relieve.
func (g *guard) endWait() bool {
	g.Lock()
	defer g.Unlock()
	g.waiting = false
	if g.relieved && !g.ended {
		_ = g.link.SetReadDeadline(time.Time{})
	}
	return g.relieved
}
