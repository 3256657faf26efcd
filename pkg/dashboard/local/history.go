package local

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/local"
)

// keptEvents is how many events of a run are kept, as many as on a cluster.
const keptEvents = 20

// History implements [source.Histories]: what happened in the run.
func (s *Source) History(_ context.Context, ref source.Ref) (*source.History, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.is(ref) {
		return nil, &source.NotFoundError{Ref: ref}
	}
	return &source.History{Local: true, Events: slices.Clone(s.state.history)}, nil
}

// remember keeps an event of the run, if it is one of those that are shown.
func (s *state) remember(e local.Event) {
	var what, comment string
	switch e.Type {
	case local.EventStarting:
		what = "Starting"
	case local.EventReady:
		what = "Ready"
	case local.EventReloaded:
		if len(e.Nodes) > 0 {
			comment = "restarted: " + strings.Join(e.Nodes, ", ")
		}
		what = "Reloaded"
	case local.EventReloadFailed:
		what, comment = "Not reloaded", s.cause
	case local.EventNodeExited:
		what, comment = "Node ended", fmt.Sprintf("%s: %v", e.Node, e.Error)
	case local.EventStopping:
		what = "Stopping"
	default:
		return
	}
	s.history = slices.Insert(s.history, 0, source.Event{Time: time.Now(), What: what, Comment: comment})
	s.history = s.history[:min(len(s.history), keptEvents)]
}
