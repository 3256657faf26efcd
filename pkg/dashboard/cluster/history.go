package cluster

import (
	"context"
	"slices"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// History implements [source.Source].
func (s *Source) History(ctx context.Context, ref source.Ref) (*source.History, error) {
	found, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	h := &source.History{}
	for _, e := range cluster.History(found.version) {
		h.Events = append(h.Events, source.Event{Time: e.Time.Time, What: e.What, Comment: e.Comment})
	}
	if found.runtime != nil {
		for _, p := range found.runtime.Status.History {
			past := source.Publication{Version: p.Version, From: p.From.Time, Comment: p.Comment}
			if p.To != nil {
				past.To = p.To.Time
			}
			h.Publications = append(h.Publications, past)
		}
	}
	slices.Reverse(h.Events)
	slices.Reverse(h.Publications)
	return h, nil
}
