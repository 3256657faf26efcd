package cluster

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render/claim"
)

// Events returns the events of the named version and of all objects that were created for
// it, in the order in which they occurred last. A cluster keeps events for an hour, unless
// it is configured otherwise.
func (c *Client) Events(ctx context.Context, version string) (*corev1.EventList, error) {
	v, err := c.Get(ctx, version)
	if err != nil {
		return nil, err
	}
	list := &corev1.EventList{}
	if err := c.kube.List(ctx, list, c.inNamespace()); err != nil {
		return nil, c.explain(err, "cannot list events")
	}
	all, err := c.List(ctx)
	if err != nil {
		return nil, err
	}
	about := claim.Belongs(v, all.Items)
	list.Items = slices.DeleteFunc(list.Items, func(e corev1.Event) bool { return !about(e.InvolvedObject) })
	slices.SortFunc(list.Items, func(a, b corev1.Event) int {
		lastA, _ := observe.Occurrences(&a)
		lastB, _ := observe.Occurrences(&b)
		return cmp.Or(lastA.Compare(lastB), cmp.Compare(a.Name, b.Name))
	})
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Event"))
	}
	return list, nil
}
