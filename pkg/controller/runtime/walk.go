package runtime

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// maxComment is how long a comment may be, in bytes.
const maxComment = 1024

// walk marks what a canary gets that serves the published contract: its weight, or what its plan
// gives it. cause is why it gets no requests now, nil if it may get them. It returns whether it
// gets any, and after what time to reconcile again, 0 for never.
func (r *reconciler) walk(rt *v1alpha1.Runtime, cause *observe.Cause, now time.Time) (gets bool, due time.Duration) {
	if cause != nil && cause.Reason == v1alpha1.ReasonNotOwned {
		defer func() { due = sooner(due, foreignInterval) }()
	}
	if rt.Spec.Canary.Plan == nil {
		if cause != nil {
			r.plans.Forget(rt.UID)
			rt.MarkCanaryWaiting(cause.Reason, cause.Message)
			return false, 0
		}
		rt.MarkCanaryServing(metav1.NewTime(now), r.plans.Count(rt, now))
		return true, 0
	}
	status, due := r.plans.Walk(rt, cause, now)
	gets = cause == nil && (status.Weight > 0 || status.Mirror > 0)
	rt.MarkCanaryWalking(status, gets)
	return gets, due
}

// measured has the Runtimes reconciled whose canaries have been measured.
func (r *reconciler) measured() source.Source {
	return source.Func(func(ctx context.Context, q watch.Queue) error {
		go r.plans.Run(ctx, func(key types.NamespacedName) { q.Add(reconcile.Request{NamespacedName: key}) })
		return nil
	})
}

// promote publishes a canary whose plan has succeeded: it writes the spec once, as a person would,
// unless the Runtime has changed since it was read, or a person publishes another version meanwhile.
func (r *reconciler) promote(ctx context.Context, rt *v1alpha1.Runtime) error {
	c, s := rt.Spec.Canary, rt.Status.Canary
	if rt.Spec.PublishedVersion != rt.Status.PublishedVersion {
		return nil
	}
	if c == nil || c.Plan == nil || c.Paused || s == nil || s.Phase != v1alpha1.CanaryPromoting || s.Of != c.ID(rt.Status.PublishedVersion) {
		return nil
	}
	before := rt.DeepCopy()
	rt.Spec.PublishedVersion, rt.Spec.Canary = c.Version, nil
	rt.Spec.Comment = clip.Text("promoted by its plan: "+s.Message, maxComment-len("…"))
	err := r.client.Patch(ctx, rt, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(apply.Manager))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // what it is now is about to be reconciled
	}
	if err != nil {
		return fmt.Errorf("cannot publish the canary %q: %w", c.Version, err)
	}
	return nil
}
