package cluster

import (
	"context"
	"fmt"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/meter"
	"krt.dev/kn-krt/pkg/dashboard/promql"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Loads implements [source.Meters].
func (s *Source) Loads(refs []source.Ref) source.Loads {
	if s.options.Prometheus != nil {
		return s.options.Prometheus.Loads(refs)
	}
	loads := source.Loads{Of: s.meter.Loads(refs)}
	if len(loads.Of) > 0 {
		loads.Note = fmt.Sprintf("Numbers of the last minute, from the entrypoints of published versions, at most %d, "+
			"and of versions whose numbers somebody looks at.", meter.MaxFollowed)
	}
	return loads
}

// FollowLoads implements [source.Meters]: of all versions from Prometheus if there is one, else of
// those that are published.
func (s *Source) FollowLoads(ctx context.Context, changed func()) error {
	if s.options.Prometheus == nil {
		return s.meter.FollowAll(ctx, func() []source.Ref { return s.published(ctx) }, changed)
	}
	ticks := time.NewTicker(promql.LoadsInterval)
	defer ticks.Stop()
	for {
		s.options.Prometheus.ReadLoads(ctx)
		changed()
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// published are the versions that clients reach, in the order of their namespaces. None while
// that cannot be read: the page says why.
func (s *Source) published(ctx context.Context) (refs []source.Ref) {
	all, _ := s.Versions(ctx)
	for i := range all {
		if all[i].Published {
			refs = append(refs, all[i].Ref)
		}
	}
	return refs
}
