package meter

import (
	"context"
	"slices"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// MaxFollowed is how many versions [Meter.FollowAll] reads: each reading is a request to each of
// their entrypoints.
const MaxFollowed = 10

// Loads returns how much the versions are used, of those whose numbers are known.
func (m *Meter) Loads(refs []source.Ref) map[source.Ref]source.Load {
	loads := map[source.Ref]source.Load{}
	for _, ref := range refs {
		if n, err := m.Numbers(ref); err == nil && n != nil {
			loads[ref] = n.Total()
		}
	}
	return loads
}

// FollowAll reads the numbers of the first versions that wanted returns, at most [MaxFollowed],
// until ctx is done. It asks wanted again, and calls changed, once in an [Interval].
func (m *Meter) FollowAll(ctx context.Context, wanted func() []source.Ref, changed func()) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end()
	followed := map[source.Ref]context.CancelFunc{}
	ticks := time.NewTicker(m.every)
	defer ticks.Stop()
	for {
		refs := wanted()
		refs = refs[:min(len(refs), MaxFollowed)]
		for _, ref := range refs {
			if followed[ref] == nil {
				own, leave := context.WithCancel(ctx)
				followed[ref] = leave
				running.Go(func() { _ = m.Follow(own, ref, func() {}) }) // it ends with its context
			}
		}
		for ref, leave := range followed {
			if !slices.Contains(refs, ref) {
				leave()
				delete(followed, ref)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
			changed()
		}
	}
}
