package cluster

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render"
)

// List returns the versions of the namespace, or of all with a client of
// In(metav1.NamespaceAll), in the order of namespace and name.
func (c *Client) List(ctx context.Context) (*v1alpha1.VersionList, error) {
	list := &v1alpha1.VersionList{}
	if err := c.kube.List(ctx, list, c.inNamespace()); err != nil {
		return nil, c.explain(err, "cannot list versions")
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.Version) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for i := range list.Items {
		list.Items[i].SetKind()
	}
	return list, nil
}

// Get returns the named version. If there is none its error is a [*NotFoundError].
func (c *Client) Get(ctx context.Context, name string) (*v1alpha1.Version, error) {
	v := &v1alpha1.Version{}
	if err := c.kube.Get(ctx, c.key(name), v); err != nil {
		return nil, c.explainVersion(ctx, "read", name, err)
	}
	v.SetKind()
	return v, nil
}

// Runtime returns the namespace's Runtime, which has the version that is published and
// those that were before; nil if nothing was ever published.
func (c *Client) Runtime(ctx context.Context) (*v1alpha1.Runtime, error) {
	r := &v1alpha1.Runtime{}
	if err := c.kube.Get(ctx, c.key(v1alpha1.RuntimeName), r); err != nil {
		if response.UnknownName(err) {
			return nil, nil // no Runtime is a result: nothing was ever published
		}
		return nil, c.explain(err, "cannot read what is published")
	}
	return r, nil
}

// Runtimes returns the Runtimes of the namespace, or of all with a client of In(metav1.NamespaceAll),
// by namespace.
func (c *Client) Runtimes(ctx context.Context) (map[string]*v1alpha1.Runtime, error) {
	list := &v1alpha1.RuntimeList{}
	if err := c.kube.List(ctx, list, c.inNamespace()); err != nil {
		return nil, c.explain(err, "cannot read what is published")
	}
	all := make(map[string]*v1alpha1.Runtime, len(list.Items))
	for i := range list.Items {
		all[list.Items[i].Namespace] = &list.Items[i]
	}
	return all, nil
}

// Namespaces returns the names of the cluster's namespaces, sorted. Few users have the
// right to list them.
func (c *Client) Namespaces(ctx context.Context) ([]string, error) {
	var list corev1.NamespaceList
	if err := c.kube.List(ctx, &list); err != nil {
		return nil, c.explain(err, "cannot list namespaces")
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	slices.Sort(names)
	return names, nil
}

// Settings returns what the cluster's ConfigMap config-krt sets, and whether there is
// one. If it cannot be read or is invalid, the defaults are returned with the
// error.
func (c *Client) Settings(ctx context.Context) (settings render.Settings, found bool, err error) {
	config := &corev1.ConfigMap{}
	err = c.kube.Get(ctx, client.ObjectKey{Namespace: SystemNamespace, Name: render.SettingsName}, config)
	if response.UnknownName(err) {
		return render.DefaultSettings(), false, nil
	}
	if err != nil {
		return render.DefaultSettings(), false, err
	}
	settings, err = render.ParseSettings(config.Data)
	if err != nil {
		return render.DefaultSettings(), true, err
	}
	return settings, true, nil
}

// HistoryEvent is a change of a version.
type HistoryEvent struct {
	v1alpha1.VersionEvent

	// What is the state that the version was changed to, or "Restarted".
	What string
}

// History returns the changes that are kept of a version, the newest last.
func History(v *v1alpha1.Version) []HistoryEvent {
	var events []HistoryEvent
	for i, e := range v.Status.History {
		what := string(e.State)
		if i > 0 && v.Status.History[i-1].State == e.State && v.Status.History[i-1].Restart != e.Restart {
			what = "Restarted"
		}
		events = append(events, HistoryEvent{e, what})
	}
	return events
}
