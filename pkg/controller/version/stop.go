package version

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// stop deletes what runs of a version without losing a request: the entrypoint first,
// whose pods leave the endpoints and respond to the requests that they have; when they
// are gone, nodes, Sequences and the rest. What waits in its queue is done before that. It
// reports whether something remains, and marks all of it in v.
func (r *reconciler) stop(ctx context.Context, v *v1alpha1.Version, now time.Time) (p progress, err error) {
	if _, err := r.readConfig(ctx, v); err != nil {
		return progress{remains: true}, err
	}
	waits, err := r.drainQueue(ctx, v, now)
	if waits != "" {
		v.MarkDraining(waits)
		return progress{remains: true, poll: true}, nil
	}
	remains := true
	if err == nil {
		remains, err = r.drain(ctx, v, now)
	}
	if remains || err != nil {
		v.MarkStopping()
		return progress{remains: true}, err
	}
	v.MarkStopped()
	v.MarkNotRunning()
	v.Status.StartedWith = nil
	for i := range v.Status.Nodes {
		v.Status.Nodes[i].Revision, v.Status.Nodes[i].Image = "", ""
	}
	for i := range v.Status.Workflows {
		v.Status.Workflows[i].Address = ""
	}
	return progress{}, nil
}

func (r *reconciler) drain(ctx context.Context, v *v1alpha1.Version, now time.Time) (remains bool, err error) {
	pods, err := r.pods(ctx, v)
	if err != nil {
		return true, err
	}
	pods = slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return isLost(p, now) })
	if _, err := r.applier.Prune(ctx, v, nil, &appsv1.DeploymentList{}); err != nil {
		return true, err
	}
	if slices.ContainsFunc(pods, isEntrypoint) {
		return true, nil
	}
	if remains, err := r.has(ctx, v, &appsv1.DeploymentList{}); remains || err != nil {
		return true, err
	}
	if v.DeletionTimestamp != nil {
		return false, nil // the rest is deleted by its owner references
	}
	if _, err := r.applier.Prune(ctx, v, nil, r.kinds()...); err != nil {
		return true, err
	}
	remains, err = r.has(ctx, v, r.kinds()...)
	return remains || len(pods) > 0, err
}

func isEntrypoint(p corev1.Pod) bool { return p.Labels[render.LabelType] == render.TypeEntrypoint }

// isLost reports whether a pod should have been gone long ago: its node has failed, and a
// stop does not wait for that.
func isLost(p corev1.Pod, now time.Time) bool {
	const patience = time.Minute
	// The time of deletion is when its grace period ends.
	return p.DeletionTimestamp != nil && now.Sub(p.DeletionTimestamp.Time) > patience
}
