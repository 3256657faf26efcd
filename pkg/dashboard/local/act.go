package local

import (
	"context"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// refusals are why a run has no such action. Where it was started is where it is stopped: a page
// must not end a program that its user has in a terminal.
func refusals() map[source.Action]string {
	const runtime = "A version that runs on this machine is in no runtime; its clients reach it at its own ports."
	return map[source.Action]string{
		source.Start:     "The version runs for as long as the command that started it.",
		source.Stop:      "Stop the version with Ctrl-C in the terminal that started it.",
		source.Publish:   runtime,
		source.Unpublish: runtime,
		source.Rollback:  runtime,
		source.Promote:   runtime,
		source.Abort:     runtime,
		source.Pause:     runtime,
		source.Resume:    runtime,
		source.Weigh:     runtime,
		source.Restart:   "A node is restarted when a file of it is saved.",
		source.Delete:    "The version is a folder of this machine.",
		source.Configure: "Config values are given to the command that started the version: end it, and start it with other values.",
	}
}

// Rights implements [source.Actors]: a run has none of the actions.
func (s *Source) Rights(ctx context.Context, ref source.Ref) (map[source.Action]string, error) {
	if _, err := s.Version(ctx, ref); err != nil {
		return nil, err
	}
	return refusals(), nil
}

// Act implements [source.Actors]: it refuses every action.
func (s *Source) Act(ctx context.Context, order source.Order) error {
	if _, err := s.Version(ctx, order.Ref); err != nil {
		return err
	}
	return &source.RefusedError{Refusal: source.Unavailable, Text: refusals()[order.Action]}
}

// Config implements [source.Configs]. All have values: else the run would not have started.
func (s *Source) Config(_ context.Context, ref source.Ref) ([]source.ConfigEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.is(ref) {
		return nil, &source.NotFoundError{Ref: ref}
	}
	declared := s.state.bundle.Manifest.Config
	entries := make([]source.ConfigEntry, 0, len(declared.Variables)+len(declared.Files))
	for _, name := range declared.Variables {
		entries = append(entries, source.ConfigEntry{Name: name, Set: true})
	}
	for _, name := range declared.Files {
		entries = append(entries, source.ConfigEntry{Name: name, File: true, Set: true})
	}
	return entries, nil
}

// SetConfig implements [source.Configs]: it refuses.
func (s *Source) SetConfig(ctx context.Context, ref source.Ref, _ map[string][]byte, _ []string) error {
	return s.Act(ctx, source.Order{Ref: ref, Action: source.Configure})
}
