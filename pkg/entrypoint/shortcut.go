package entrypoint

import (
	"context"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	// shortcutPause is how long a shortcut is kept off once it took no connection.
	shortcutPause = time.Second
	// shortcutAge is from when on a connection is not used again. A pod that is
	// about to end, or that a changed config has replaced, still answers on those it
	// has, and Knative may take minutes to end it.
	shortcutAge = 3 * time.Second
)

// shortcut is the way straight to a node's pod, used while it takes connections.
type shortcut struct {
	*exchange
	node    string
	address *url.URL
	log     *slog.Logger
	shut    atomic.Int64 // until when it is kept off, Unix time in ns; 0: it is open
}

// newStraightClient returns the client for all shortcuts.
func newStraightClient() *client {
	c := newClient()
	c.age = shortcutAge
	return c
}

// open reports whether the shortcut is to be tried. Of one that has been kept off
// for long enough, one request finds out, and the others still stay away.
func (s *shortcut) open() bool {
	until := s.shut.Load()
	if until == 0 {
		return true
	}
	now := time.Now().UnixNano()
	return now >= until && s.shut.CompareAndSwap(until, now+int64(shortcutPause))
}

// once posts p to the pod; see [exchange.once]. It reports false if no connection
// came about, so that p can go another way.
func (s *shortcut) once(ctx context.Context, p *Parcel) (answer *Parcel, went bool, err error) {
	answer, err = s.exchange.once(ctx, s.address, p)
	switch {
	case !undialed(err):
		if s.shut.Load() != 0 && s.shut.Swap(0) != 0 {
			s.log.Info("the pod of a node takes connections again", "node", s.node, "address", s.address.Host)
		}
		return answer, true, err
	case ctx.Err() != nil: // which says nothing about the pod
		return nil, true, err
	}
	s.client.idle.forget(s.address.Host) // they lead to a pod that is about to end
	if s.shut.Swap(time.Now().Add(shortcutPause).UnixNano()) == 0 {
		s.log.Info("the pod of a node takes no connections; its Knative Service is called meanwhile", "node", s.node, "error", err)
	}
	return nil, false, err
}
