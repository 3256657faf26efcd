package sourcetest

import (
	"context"
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

// Requests are the requests that a [Memory] keeps.
type Requests struct {
	// Refuse is the error of all methods, if it is not nil; Unkept and Notes are returned as they
	// are.
	Refuse error
	Unkept string
	Notes  []string

	mu   sync.Mutex
	kept []inspection.Request // newest last
	lost int
	more chan struct{} // closed at the next one
}

func newRequests() *Requests { return &Requests{more: make(chan struct{})} }

// Add keeps requests, the newest last.
func (r *Requests) Add(all ...inspection.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, all...)
	r.signal()
}

// Lose makes followers miss n requests.
func (r *Requests) Lose(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost += n
	r.signal()
}

func (r *Requests) signal() {
	close(r.more)
	r.more = make(chan struct{})
}

// Requests implements [source.RequestKeepers].
func (m *Memory) Requests(_ context.Context, _ source.Ref, f inspection.Filter) ([]inspection.Request, []string, error) {
	r := m.Kept
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []inspection.Request
	for _, one := range slices.Backward(r.kept) {
		if f.Match(&one) {
			list = append(list, one)
		}
	}
	return list, r.Notes, r.Refuse
}

// Request implements [source.RequestKeepers].
func (m *Memory) Request(_ context.Context, ref source.Ref, id string) (*source.KeptRequest, error) {
	r := m.Kept
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.kept {
		if one.ID == id && r.Refuse == nil {
			return &source.KeptRequest{Request: one, Unkept: r.Unkept}, nil
		}
	}
	if r.Refuse != nil {
		return nil, r.Refuse
	}
	return nil, source.NewNoRequestError(ref, id)
}

// FollowRequests implements [source.RequestKeepers].
func (m *Memory) FollowRequests(ctx context.Context, _ source.Ref, f inspection.Filter, to source.RequestHandler) error {
	r := m.Kept
	for _, text := range r.Notes {
		to.Note(text)
	}
	for passed, lost := 0, 0; ; {
		r.mu.Lock()
		news, missed, more, refuse := slices.Clone(r.kept[passed:]), r.lost-lost, r.more, r.Refuse
		passed, lost = len(r.kept), r.lost
		r.mu.Unlock()
		if refuse != nil {
			return refuse
		}
		for i := range news {
			if f.Match(&news[i]) {
				to.Request(news[i])
			}
		}
		if missed > 0 {
			to.Lost(missed)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-more:
		}
	}
}
