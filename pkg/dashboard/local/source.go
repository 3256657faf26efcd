// Package local is the dashboard's source of a version that runs on this machine. It receives
// what the run reports, keeps a snapshot of it, and passes it on.
package local

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/meter"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/local"
)

// Source shows one run, and is the Reporter of that run. What reads it never slows the run: readers
// are notified that something has changed, and take copies.
type Source struct {
	next    local.Reporter
	lines   *lines
	changes *fanout
	over    chan struct{} // closed when the run has ended
	meter   *meter.Meter

	transport http.Transport // to the inspection port; a proxy cannot reach this machine

	mu    sync.Mutex
	state state
}

var (
	_ source.Source  = (*Source)(nil)
	_ local.Reporter = (*Source)(nil)
)

// New returns the source of the run whose Reporter it becomes. What is reported to it goes to
// next, too.
func New(next local.Reporter) *Source {
	s := &Source{
		next: next, lines: newLines(), changes: newFanout(), over: make(chan struct{}),
		state: state{nodes: map[string]*node{}},
	}
	s.meter = meter.New(s.reader)
	return s
}

// Line implements [local.Reporter].
func (s *Source) Line(node, stream, line string) {
	s.lines.add(Line{Time: time.Now(), Node: node, Stream: stream, Text: line})
	s.next.Line(node, stream, line)
}

// Event implements [local.Reporter].
func (s *Source) Event(e local.Event) {
	if s.apply(e) {
		s.changes.publish()
	}
	if e.Type == local.EventStopped {
		close(s.over)
	}
	s.next.Event(e)
}

// apply changes the state by an event, and reports whether anything that is shown has changed.
func (s *Source) apply(e local.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.state.remember(e)
	if e.Node != "" {
		return s.state.node(e, s.lines.last(e.Node))
	}
	return s.state.run(e)
}

// Versions implements [source.Source]: the version of the run, once its bundle is loaded.
func (s *Source) Versions(context.Context) ([]source.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.bundle == nil {
		return nil, nil
	}
	return []source.Version{s.state.version()}, nil
}

// Version implements [source.Source].
func (s *Source) Version(_ context.Context, ref source.Ref) (*source.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.is(ref) {
		return nil, &source.NotFoundError{Ref: ref}
	}
	v := s.state.version()
	return &v, nil
}

// errOver ends a Watch.
var errOver = errors.New("the run has ended")

// Watch implements [source.Source]. After the run has ended, changed is called one last time, and
// Watch returns an error.
func (s *Source) Watch(ctx context.Context, ref source.Ref, changed func()) error {
	if ref != (source.Ref{}) {
		if _, err := s.Version(ctx, ref); err != nil {
			return err
		}
	}
	news, end := s.changes.subscribe()
	defer end()
	for {
		changed()
		select {
		case <-news:
		case <-ctx.Done():
			return nil
		case <-s.over:
			changed()
			return errOver
		}
	}
}
