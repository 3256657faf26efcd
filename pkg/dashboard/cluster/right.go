package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// rightsTime is how long a review of the user's rights counts.
const rightsTime = 30 * time.Second

// needed are the rights that each action takes.
func needed() map[source.Action][]cluster.Right {
	right := func(group, resource string, verbs ...string) (rights []cluster.Right) {
		for _, verb := range verbs {
			rights = append(rights, cluster.Right{Verb: verb, Group: group, Resource: resource})
		}
		return rights
	}
	group := v1alpha1.GroupVersion.Group
	publish := right(group, "runtimes", "get", "patch")
	change := right(group, "versions", "get", "patch")
	return map[source.Action][]cluster.Right{
		source.Start:     change,
		source.Stop:      append(right(group, "runtimes", "get"), change...),
		source.Restart:   change,
		source.Publish:   append(right(group, "runtimes", "create"), publish...),
		source.Unpublish: publish,
		source.Rollback:  publish,
		source.Delete:    append(right(group, "runtimes", "get"), right(group, "versions", "get", "delete")...),
		source.Configure: right("", "secrets", "get", "create", "patch"),
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
	for _, rights := range needed() {
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
	missing, err := s.reviews.missing(ctx, c)
	if err != nil {
		return nil, s.explain(ref, err)
	}
	reasons := map[source.Action]string{}
	for action, rights := range needed() {
		var lacking []string
		for _, right := range rights {
			if slices.Contains(missing, right) {
				lacking = append(lacking, right.String())
			}
		}
		if len(lacking) > 0 {
			reasons[action] = fmt.Sprintf("In namespace %q you do not have the right to %s.", ref.Namespace, strings.Join(lacking, " and "))
		}
	}
	return reasons, nil
}
