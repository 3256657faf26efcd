package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// rightsTime is how long a review of the user's rights counts.
const rightsTime = 30 * time.Second

// needed are the rights that each action takes. Where config is declared, a start reads whether it is
// complete.
func needed(configured bool) map[source.Action][]cluster.Right {
	right := func(group, resource string, verbs ...string) (rights []cluster.Right) {
		for _, verb := range verbs {
			rights = append(rights, cluster.Right{Verb: verb, Group: group, Resource: resource})
		}
		return rights
	}
	group := v1alpha1.GroupVersion.Group
	read := right(group, "versions", "get")
	point := right(group, "runtimes", "get", "patch")
	change := slices.Concat(read, right(group, "versions", "patch"))
	start := change
	if configured {
		start = slices.Concat(change, right("", "secrets", "get"))
	}
	return map[source.Action][]cluster.Right{
		source.Start:     start,
		source.Stop:      slices.Concat(right(group, "runtimes", "get"), change),
		source.Restart:   change,
		source.Publish:   slices.Concat(right(group, "runtimes", "create"), point, read),
		source.Unpublish: point,
		source.Rollback:  slices.Concat(point, read),
		source.Delete:    slices.Concat(right(group, "runtimes", "get"), right(group, "versions", "get", "delete")),
		source.Promote:   slices.Concat(point, read),
		source.Abort:     point,
		source.Pause:     point,
		source.Resume:    point,
		source.Weigh:     slices.Concat(point, read),
		source.Configure: slices.Concat(right("", "secrets", "get", "create", "patch"), read),
		source.Letters: slices.Concat(read, right("", "pods", "list"),
			[]cluster.Right{{Verb: "create", Resource: "pods", Subresource: "portforward"}}),
	}
}

// reviews are what the user may not do, by namespace.
type reviews struct {
	mu   sync.Mutex
	past map[string]review
}

type review struct {
	at      time.Time
	missing []cluster.Right
}

// maxReviews is of how many namespaces reviews are kept.
const maxReviews = 200

// missing returns those of all needed rights that the user does not have in the namespace.
func (r *reviews) missing(ctx context.Context, c *cluster.Client) ([]cluster.Right, error) {
	r.mu.Lock()
	known, found := r.past[c.Namespace()]
	r.mu.Unlock()
	if found && time.Since(known.at) < rightsTime {
		return known.missing, nil
	}
	var all []cluster.Right
	for _, rights := range needed(true) {
		for _, right := range rights {
			if !slices.Contains(all, right) {
				all = append(all, right)
			}
		}
	}
	missing, err := c.Missing(ctx, all)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.past == nil || len(r.past) >= maxReviews {
		r.past = map[string]review{}
	}
	r.past[c.Namespace()] = review{time.Now(), missing}
	return missing, nil
}

// Rights implements [source.Source]. What it returns may be as old as 30 seconds.
func (s *Source) Rights(ctx context.Context, ref source.Ref) (map[source.Action]string, error) {
	c, err := s.in(ref)
	if err != nil {
		return nil, err
	}
	found, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	declared := found.version.Spec.Config
	missing, err := s.reviews.missing(ctx, c)
	if err != nil {
		return nil, s.explain(ref, err)
	}
	reasons := map[source.Action]string{}
	for action, rights := range needed(len(declared.Variables)+len(declared.Files) > 0) {
		var lost []cluster.Right
		for _, right := range rights {
			if slices.Contains(missing, right) {
				lost = append(lost, right)
			}
		}
		if len(lost) > 0 {
			reasons[action] = lacking(ref.Namespace, lost)
		}
	}
	return reasons, nil
}
