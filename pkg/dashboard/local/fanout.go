package local

import "sync"

// fanout notifies subscribers that there is something new. It never waits for one: several
// notifications may become one.
type fanout struct {
	mu   sync.Mutex
	subs map[chan struct{}]struct{}
}

func newFanout() *fanout { return &fanout{subs: map[chan struct{}]struct{}{}} }

// subscribe returns where notifications arrive until end is called.
func (f *fanout) subscribe() (news <-chan struct{}, end func()) {
	sub := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs[sub] = struct{}{}
	return sub, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subs, sub)
	}
}

// publish notifies all subscribers.
func (f *fanout) publish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for sub := range f.subs {
		select {
		case sub <- struct{}{}:
		default:
		}
	}
}
