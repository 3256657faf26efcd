package recent

import (
	"context"
	"slices"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

const (
	// settled is after what time a page shows what it has, so that it does not begin with less than
	// it has already.
	settled = time.Second
	// againAfter is the pause before requests that cannot be followed are tried again.
	againAfter = 5 * time.Second
	// maxNotes bounds the sentences about entrypoints that are kept.
	maxNotes = 5
)

// Feed is the requests that a page follows. It may be used by many goroutines at a time.
type Feed struct {
	mu    sync.Mutex
	kept  *Requests
	state State
}

// State is what a feed has.
type State struct {
	View
	// Notes are the last sentences about entrypoints that cannot be asked.
	Notes []string
	// Err is why requests cannot be followed at present; nil if they are.
	Err error
	// Waiting says that it is not known yet which requests there are.
	Waiting bool
}

// NewFeed makes a feed that waits for requests.
func NewFeed() *Feed { return &Feed{kept: &Requests{}, state: State{Waiting: true}} }

// State returns what the feed has now.
func (f *Feed) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.state
	now.View, now.Notes = f.kept.View(), slices.Clone(now.Notes)
	return now
}

// change changes the feed while nobody reads it.
func (f *Feed) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

// note keeps the last sentences. f is locked.
func (f *Feed) note(text string) {
	notes := slices.DeleteFunc(f.state.Notes, func(other string) bool { return other == text })
	notes = append(notes, text)
	f.state.Notes = notes[max(0, len(notes)-maxNotes):]
}

// Version is a version whose requests are followed.
type Version struct {
	Source source.RequestKeepers
	Ref    source.Ref
}

// Follow keeps the feed up to date until ctx ends, and calls changed when it has changed. A version
// whose entrypoint cannot be asked is asked again and again: it may be there later.
func (f *Feed) Follow(ctx context.Context, from Version, filter inspection.Filter, changed func()) {
	for ctx.Err() == nil {
		err := f.follow(ctx, from, filter, changed)
		if err != nil && ctx.Err() == nil {
			f.change(func() { f.state.Err, f.state.Waiting = err, false })
			changed()
		}
		select {
		case <-ctx.Done():
		case <-time.After(againAfter):
		}
	}
}

// follow passes on requests until they cannot be followed any more.
func (f *Feed) follow(ctx context.Context, from Version, filter inspection.Filter, changed func()) error {
	kept := &Requests{}
	f.change(func() { f.state.Notes = nil })
	timer := time.AfterFunc(settled, func() {
		f.change(func() { f.kept, f.state = kept, State{Notes: f.state.Notes} })
		changed()
	})
	defer timer.Stop()
	return from.Source.FollowRequests(ctx, from.Ref, filter, source.RequestHandler{
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
