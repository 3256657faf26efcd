package dashboard

import (
	"context"
	"slices"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/recent"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

const (
	// settled is after what time a page shows what it has, if no request has come by then.
	settled = time.Second
	// againAfter is the pause before requests that cannot be followed are tried again.
	againAfter = 5 * time.Second
	// maxNotes bounds the sentences about entrypoints that a page shows.
	maxNotes = 5
)

// requestFeed is what the stream of a page keeps of the requests that it follows.
type requestFeed struct {
	mu      sync.Mutex
	kept    *recent.Requests
	notes   []string
	problem *failure
	waiting bool
}

func newRequestFeed() *requestFeed { return &requestFeed{kept: &recent.Requests{}, waiting: true} }

func (f *requestFeed) view() (recent.View, []string, *failure, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept.View(), slices.Clone(f.notes), f.problem, f.waiting
}

// change changes the feed while nobody reads it.
func (f *requestFeed) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

// note keeps the last sentences.
func (f *requestFeed) note(text string) {
	f.notes = slices.DeleteFunc(f.notes, func(other string) bool { return other == text })
	f.notes = append(f.notes, text)
	f.notes = f.notes[max(0, len(f.notes)-maxNotes):]
}

// followRequests keeps the feed of the page up to date until ctx ends. An entrypoint that cannot be
// asked may be there later.
func followRequests(ctx context.Context, r *request, changed func()) error {
	feed := r.kept.(*requestFeed)
	_, filter := newRequestFilter(r)
	for ctx.Err() == nil {
		err := feed.follow(ctx, r, filter, changed)
		if err != nil && ctx.Err() == nil {
			feed.change(func() { feed.problem, feed.waiting = explain(err), false })
			changed()
		}
		select {
		case <-ctx.Done():
		case <-time.After(againAfter):
		}
	}
	return nil
}

// follow passes on requests until they cannot be followed any more.
func (f *requestFeed) follow(ctx context.Context, r *request, filter inspection.Filter, changed func()) error {
	kept := &recent.Requests{}
	timer := time.AfterFunc(settled, func() {
		f.change(func() { f.kept, f.notes, f.problem, f.waiting = kept, nil, nil, false })
		changed()
	})
	defer timer.Stop()
	return r.source.FollowRequests(ctx, r.ref, filter, source.RequestHandler{
		Request: func(one inspection.Request) {
			kept.Add(one)
			changed()
		},
		Lost: func(n int) {
			kept.Lose(n)
			changed()
		},
		Note: func(text string) {
			f.change(func() { f.note(text) })
			changed()
		},
	})
}
