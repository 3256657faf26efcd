package runtime

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/render"
)

// A division is what the entrypoints of a namespace's versions are told about dividing requests:
// for each version a file, in a ConfigMap that they mount.
//
// Each version has at most one file. That of the published version is as its canary needs it.
// After a promotion, that of the version before forwards everything to the published one until
// its last connections are gone. Any other file is emptied first, and deleted once all
// entrypoints have applied that: so a version of which there is no file divides nothing.
type division map[string]file

// file is the content of a ConfigMap.
type file struct {
	traffic.Config
	until time.Time // when it ends; zero: not by itself
}

// leaf identifies the file of a version of a runtime.
type leaf struct {
	runtime types.UID
	version string
}

// names reports whether requests go to a version by any of the files, also if they do so no
// more, and that is not applied everywhere.
func (d division) names(version string) bool {
	for _, f := range d {
		if f.Canary == nil || f.Canary.Version == version {
			return true
		}
	}
	return false
}

// division reads the files of a runtime. One that another program has changed is as if it were empty:
// it is written again.
func (r *reconciler) division(ctx context.Context, rt *v1alpha1.Runtime) (division, error) {
	var list corev1.ConfigMapList
	own := client.MatchingFields{apply.OwnerIndex: string(rt.UID)}
	if err := r.client.List(ctx, &list, client.InNamespace(rt.Namespace), own, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	found := division{}
	for i := range list.Items {
		m := &list.Items[i]
		version := m.Labels[render.LabelVersion]
		if m.DeletionTimestamp != nil || m.Name != render.TrafficName(version) {
			continue
		}
		var f file
		f.Config, _ = traffic.Parse([]byte(m.Data[traffic.File]))
		f.until, _ = time.Parse(time.RFC3339, m.Annotations[render.AnnotationUntil])
		found[version] = f
	}
	return found, nil
}

// divide makes the files what they are to be: want is that of the published version, nil for
// none. It returns them, and after what time to reconcile again, 0 for never.
func (r *reconciler) divide(
	ctx context.Context, rt *v1alpha1.Runtime, have division, want *traffic.Config, now time.Time,
) (division, time.Duration, error) {
	next, due := division{}, time.Duration(0)
	published := rt.Status.PublishedVersion
	if want != nil {
		next[published] = file{Config: *want}
	}
	for version, f := range have {
		switch {
		case version == published && want != nil:
		case r.handsOver(rt, version, f, now):
			if f.until.IsZero() {
				f.Config = render.Handover(published, rt.Namespace, r.domainOf(ctx, rt.Namespace, version))
				f.until = now.Add(r.connectionsEnd(ctx, rt.Namespace, version))
			}
			next[version] = f
			due = sooner(due, f.until.Sub(now))
		case f.Canary != nil:
			next[version] = file{}
		default:
			if left := r.applying(leaf{rt.UID, version}, now); left > 0 {
				next[version] = f
				due = sooner(due, left)
			}
		}
	}
	left, err := r.tell(ctx, rt, next)
	return next, sooner(due, left), err
}

// handsOver reports whether the entrypoint of a version that was published before goes on
// forwarding to its canary, which was published instead. If another one is published after
// that, clients of both keep what they have got until their connections end.
func (r *reconciler) handsOver(rt *v1alpha1.Runtime, version string, f file, now time.Time) bool {
	published := rt.Status.PublishedVersion
	if version == published || version == rt.Spec.PublishedVersion || f.Canary == nil {
		return false
	}
	return f.until.IsZero() && f.Canary.Version == published || now.Before(f.until)
}

// tell writes the files and has the entrypoints' pods apply them. It returns how long those
// take that have been told just now, some of which may have been told although there is an error.
func (r *reconciler) tell(ctx context.Context, rt *v1alpha1.Runtime, d division) (left time.Duration, err error) {
	objects := make([]client.Object, 0, len(d))
	for _, version := range slices.Sorted(maps.Keys(d)) {
		objects = append(objects, render.Traffic(rt.Namespace, version, d[version].Config, d[version].until))
	}
	told := map[string]bool{}
	defer func() { left = r.note(rt.UID, told) }()
	done, err := r.applier.Apply(ctx, rt, objects...)
	for _, change := range done.Changed {
		for version := range d {
			told[version] = told[version] || change.Name == render.TrafficName(version)
		}
	}
	if err != nil {
		return 0, err
	}
	for _, version := range concerned(rt, d) {
		changed, err := r.tellPods(ctx, rt, d, version)
		told[version] = told[version] || changed
		if err != nil {
			return 0, err
		}
	}
	_, err = r.applier.Prune(ctx, rt, objects, &corev1.ConfigMapList{})
	return 0, err
}

// concerned are the versions whose entrypoints must know about files: those that have one, and
// those that are published or will be.
func concerned(rt *v1alpha1.Runtime, d division) []string {
	versions := slices.Collect(maps.Keys(d))
	for _, version := range []string{rt.Status.PublishedVersion, rt.Spec.PublishedVersion} {
		if version != "" && !slices.Contains(versions, version) {
			versions = append(versions, version)
		}
	}
	return versions
}

// tellPods has the pods of a version's entrypoint apply its file, or that there is none. It
// reports whether they have something to apply.
func (r *reconciler) tellPods(ctx context.Context, rt *v1alpha1.Runtime, d division, version string) (bool, error) {
	if stale, err := r.stale(ctx, rt, version); stale || err != nil {
		return stale, err // it is looked at again until the garbage collector has deleted that file
	}
	f, exists := d[version]
	return r.annotate(ctx, rt.Namespace, version, render.TrafficID(f.Config), exists)
}

// stale reports whether a version has the file of a Runtime that has been deleted, which is
// about to be deleted too. Until then, pods must not apply it again.
func (r *reconciler) stale(ctx context.Context, rt *v1alpha1.Runtime, version string) (bool, error) {
	m := &corev1.ConfigMap{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: rt.Namespace, Name: render.TrafficName(version)}, m)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	owner := metav1.GetControllerOf(m)
	return owner != nil && owner.Kind == "Runtime" && owner.UID != rt.UID, nil
}

// annotate marks the pods of a version's entrypoint with what they are to apply, so that each
// kubelet updates their volumes at once. Without a file, pods that were never told anything
// stay as they are. It reports whether it has changed any, also with an error.
func (r *reconciler) annotate(ctx context.Context, namespace, version, id string, exists bool) (changed bool, err error) {
	var pods corev1.PodList
	labels := client.MatchingLabels(render.EntrypointPods(version))
	if err := r.client.List(ctx, &pods, client.InNamespace(namespace), labels, client.UnsafeDisableDeepCopy); err != nil {
		return false, err
	}
	for i := range pods.Items {
		now, told := pods.Items[i].Annotations[render.AnnotationTraffic]
		if now == id || !told && !exists {
			continue
		}
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, render.AnnotationTraffic, id)
		pod := &corev1.Pod{}
		pod.Namespace, pod.Name = namespace, pods.Items[i].Name
		err := r.client.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(apply.Manager))
		if client.IgnoreNotFound(err) != nil {
			return changed, fmt.Errorf("cannot annotate Pod %q: %w", pod.Name, err)
		}
		changed = changed || err == nil
	}
	return changed, nil
}

// note remembers that entrypoints have been told something, and returns how long they take
// to apply it; 0 if none was.
func (r *reconciler) note(runtime types.UID, told map[string]bool) (left time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for version, changed := range told {
		if changed {
			r.told[leaf{runtime, version}] = now
			left = r.applied
		}
	}
	return left
}

// applying is for how long the entrypoints of a version may still do as they were told before.
// For what this process has not told them the time begins now.
func (r *reconciler) applying(l leaf, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, known := r.told[l]
	if !known {
		since = now
		r.told[l] = now
	}
	return r.applied - now.Sub(since)
}

// unsettled is for how long the entrypoint of a version that is not published may still divide
// requests; 0 if it divides nothing: there is no file, and its pods have had the time to apply
// that.
func (r *reconciler) unsettled(rt *v1alpha1.Runtime, d division, version string, now time.Time) time.Duration {
	if version == rt.Status.PublishedVersion {
		return 0
	}
	if _, exists := d[version]; exists {
		return r.applied
	}
	return r.untold(leaf{rt.UID, version}, now)
}

// untold is for how long the entrypoints of a version may still not have applied what this
// process has told them last.
func (r *reconciler) untold(l leaf, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since, known := r.told[l]; known {
		return max(0, r.applied-now.Sub(since))
	}
	return 0
}

// settingsOf are what a version was started with; the defaults if that is not known.
func (r *reconciler) settingsOf(ctx context.Context, namespace, version string) render.Settings {
	var v v1alpha1.Version
	err := r.client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: version}, &v)
	if err != nil || v.Status.StartedWith == nil {
		return render.DefaultSettings()
	}
	return render.SettingsOf(v.Status.StartedWith.Settings)
}

func (r *reconciler) domainOf(ctx context.Context, namespace, version string) string {
	return r.settingsOf(ctx, namespace, version).ClusterDomain
}

// connectionsEnd is after what time the connections to a version that is no longer published
// are gone. gRPC's servers vary their age by a tenth.
func (r *reconciler) connectionsEnd(ctx context.Context, namespace, version string) time.Duration {
	s := r.settingsOf(ctx, namespace, version)
	return s.ConnectionAge + s.ConnectionAge/10 + s.ConnectionGrace
}
