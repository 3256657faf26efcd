package delivery

import (
	"context"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
)

const (
	// shortcutPause is how long a shortcut is not used once it accepted no connection.
	shortcutPause = time.Second
	// shortcutAge is from when on a connection is not used again. A pod that is
	// about to end, or that a changed config has replaced, still responds on those it
	// has, and Knative may take minutes to end it.
	shortcutAge = 3 * time.Second
)

// shortcut is the way straight to a node's pod, used while it accepts connections.
type shortcut struct {
	*exchange
	node    string
	address *url.URL
	log     *slog.Logger
	shut    atomic.Int64 // until when it is not used, Unix time in ns; 0: it is open
	busy    atomic.Int64 // until when no new connections are made, Unix time in ns; 0: they are
}

// open reports whether the shortcut is to be tried. One that has not been used
// for long enough is tried by one request, and not by the others meanwhile.
func (s *shortcut) open() bool {
	until := s.shut.Load()
	if until == 0 {
		return true
	}
	now := time.Now().UnixNano()
	return now >= until && s.shut.CompareAndSwap(until, now+int64(shortcutPause))
}

// known reports whether no new connection is to be made for a request. Once the pod has been too busy for one, it is tried
// by one request, and not by the others meanwhile: each would wait for as long as the pod may take to name itself.
func (s *shortcut) known() (known, tries bool) {
	until := s.busy.Load()
	if until == 0 {
		return false, false
	}
	now := time.Now().UnixNano()
	tries = now >= until && s.busy.CompareAndSwap(until, now+int64(shortcutPause))
	return !tries, tries
}

// post posts p to the pod; see [exchange.post]. It reports false if no connection
// could be made, so that p can go another way. The connections of a pod that was too busy to name itself
// on a new one serve on: for a while there are no other ones.
func (s *shortcut) post(ctx context.Context, p *Parcel, made *send) (response *Parcel, sent bool, err error) {
	x := *s.exchange
	var tries bool
	x.known, tries = s.known()
	response, err = x.post(ctx, s.address, p, made)
	switch {
	case !httpclient.DialFailed(err):
		if s.shut.Load() != 0 && s.shut.Swap(0) != 0 {
			s.log.Info("the pod of a node accepts connections again", "node", s.node, "address", s.address.Host)
		}
		if tries {
			s.busy.Store(0)
		}
		return response, true, err
	case ctx.Err() != nil: // not because of the pod
		return nil, true, err
	case x.known:
		return nil, false, err
	case httpclient.Busy(err):
		s.busy.Store(time.Now().Add(shortcutPause).UnixNano())
		return nil, false, err
	}
	s.client.Forget(s.address.Host) // their pod is about to end
	if s.shut.Swap(time.Now().Add(shortcutPause).UnixNano()) == 0 {
		s.log.Info("the pod of a node accepts no connections; calling its Knative Service instead", "node", s.node, "error", err)
	}
	return nil, false, err
}
