package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/render"
)

// scope is what is known of one namespace, or of all, with one watch for each kind however
// many pages are open.
type scope struct {
	versions *part[*v1alpha1.Version, keptVersion]
	runtimes *part[*v1alpha1.Runtime, *v1alpha1.Runtime]
	pods     *part[*corev1.Pod, keptPod]
	end      func()
	ended    sync.WaitGroup
}

// keptVersion is a version without what only fills memory.
type keptVersion struct {
	*v1alpha1.Version

	methods func() map[string]string
}

// keptPod is what matters of the pod of a node.
type keptPod struct {
	version, node string
	// there is false for a pod that has ended or is ending.
	there    bool
	restarts int
}

func newPart[T client.Object, K any](
	follow func(context.Context, cluster.Listener[T]) error, keep func(object T, before K) (K, bool), changed func(client.ObjectKey, K),
) *part[T, K] {
	return &part[T, K]{follow: follow, keep: keep, changed: changed, settled: make(chan struct{})}
}

// newScope begins to keep what the client's namespace has, until it is closed. changed is
// called with a reference to the version that may have changed; without a name it may be any
// of the namespace, and without that any at all.
func newScope(c *cluster.Client, interval time.Duration, changed func(source.Ref)) *scope {
	by, ours := reviewer{c, interval}, v1alpha1.GroupVersion.Group
	// client-go would log that a list was cut off by the end.
	ctx, cancel := context.WithCancel(logr.NewContext(context.Background(), logr.Discard()))
	s := &scope{end: cancel}
	s.versions = newPart(reviewed(by, ours, "versions", c.FollowVersions), keepVersion, func(key client.ObjectKey, _ keptVersion) {
		changed(source.Ref(key))
	})
	s.runtimes = newPart(reviewed(by, ours, "runtimes", c.FollowRuntimes), keepRuntime, func(key client.ObjectKey, _ *v1alpha1.Runtime) {
		changed(source.Ref{Namespace: key.Namespace})
	})
	s.pods = newPart(reviewed(by, "", "pods", c.FollowPods), keepPod, func(key client.ObjectKey, p keptPod) {
		changed(source.Ref{Namespace: key.Namespace, Name: p.version})
	})
	s.ended.Go(func() { s.versions.run(ctx) })
	s.ended.Go(func() { s.runtimes.run(ctx) })
	s.ended.Go(func() { s.pods.run(ctx) })
	return s
}

// reviewed follows objects as long as the user may list them.
func reviewed[T client.Object](
	by reviewer, group, resource string, follow func(context.Context, cluster.Listener[T]) error,
) func(context.Context, cluster.Listener[T]) error {
	rights := []cluster.Right{{Verb: "list", Group: group, Resource: resource}}
	return func(ctx context.Context, l cluster.Listener[T]) error {
		return by.whileAllowed(ctx, rights, func(ctx context.Context) error { return follow(ctx, l) })
	}
}

func (s *scope) close() {
	s.end()
	s.ended.Wait()
}

// read returns what is known of the versions that are wanted.
func (s *scope) read(ctx context.Context, wanted func(source.Ref) bool) (all []seen, err error) {
	err = s.versions.read(ctx, func(versions map[client.ObjectKey]keptVersion) {
		for key, v := range versions {
			if wanted(source.Ref(key)) {
				all = append(all, seen{version: v.Version, methods: v.methods})
			}
		}
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	runtimes := map[string]*v1alpha1.Runtime{}
	// Without the right to read these, the status of the versions has to do.
	_ = s.runtimes.read(ctx, func(objects map[client.ObjectKey]*v1alpha1.Runtime) {
		for _, r := range objects {
			runtimes[r.Namespace] = r
		}
	})
	pods := map[source.Ref]map[string]podCount{}
	unknown := s.pods.read(ctx, func(objects map[client.ObjectKey]keptPod) { countPods(objects, pods) })
	for i := range all {
		v := all[i].version
		all[i].runtime = runtimes[v.Namespace]
		if unknown == nil {
			all[i].pods = pods[source.Ref{Namespace: v.Namespace, Name: v.Name}]
			if all[i].pods == nil {
				all[i].pods = map[string]podCount{}
			}
		}
	}
	return all, ctx.Err()
}

// one returns what is known of a version. There is none in a nil scope.
func (s *scope) one(ctx context.Context, ref source.Ref) (*seen, error) {
	if s == nil {
		return nil, &source.NotFoundError{Ref: ref}
	}
	found, err := s.read(ctx, func(other source.Ref) bool { return other == ref })
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, &source.NotFoundError{Ref: ref}
	}
	return &found[0], nil
}

// find returns what is known of a version that is shown.
func (s *Source) find(ctx context.Context, ref source.Ref) (*seen, error) {
	scope, err := s.scopeOf(ctx, ref.Namespace)
	if err != nil {
		return nil, s.explain(ref, err)
	}
	found, err := scope.one(ctx, ref)
	return found, s.explain(ref, err)
}

// countPods counts the pods of each node of each version.
func countPods(objects map[client.ObjectKey]keptPod, counts map[source.Ref]map[string]podCount) {
	for key, p := range objects {
		ref := source.Ref{Namespace: key.Namespace, Name: p.version}
		if counts[ref] == nil {
			counts[ref] = map[string]podCount{}
		}
		c := counts[ref][p.node]
		c.restarts += p.restarts
		if p.there {
			c.pods++
		}
		counts[ref][p.node] = c
	}
}

// keepVersion leaves out what is large and not shown. The protos are compiled when they are
// needed first, and again only if the content has changed.
func keepVersion(v *v1alpha1.Version, before keptVersion) (keptVersion, bool) {
	entrypoint, workflows := v.Spec.Entrypoint, v.Spec.Workflows
	v.ManagedFields, v.Annotations = nil, nil
	v.Spec.Entrypoint.Files, v.Spec.Entrypoint.Inspect = nil, nil
	v.SetKind()
	if before.Version != nil && before.UID == v.UID && before.Generation == v.Generation {
		return keptVersion{v, before.methods}, before.ResourceVersion != v.ResourceVersion
	}
	return keptVersion{v, sync.OnceValue(func() map[string]string { return methodsOf(&entrypoint, workflows) })}, true
}

func keepRuntime(r, _ *v1alpha1.Runtime) (*v1alpha1.Runtime, bool) {
	r.ManagedFields, r.Annotations = nil, nil
	return r, true
}

func keepPod(p *corev1.Pod, before keptPod) (keptPod, bool) {
	kept := keptPod{
		version: p.Labels[render.LabelVersion],
		node:    render.ComponentOf(p).Node,
		there:   p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodFailed && p.Status.Phase != corev1.PodSucceeded,
	}
	for _, c := range p.Status.ContainerStatuses {
		kept.restarts += int(c.RestartCount)
	}
	return kept, kept != before
}
