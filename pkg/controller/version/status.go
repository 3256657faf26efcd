package version

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
)

// markPublication marks what the Runtime wants of the version, and what is refused because
// of that.
func markPublication(v *v1alpha1.Version, p publication, run bool) {
	switch {
	case p.published:
		v.MarkPublished()
	case p.wanted && p.waits != "":
		v.MarkPublishing(p.waits)
	case p.wanted && v.IsReady():
		v.MarkPublishing("active-entrypoint is being switched to it")
	case p.wanted:
		v.MarkPublishing("it will be published once it is ready")
	case p.canaryOf != "":
		v.MarkCanary(p.canaryOf, p.share)
	default:
		v.MarkNotPublished()
	}
	markRefusals(v, p, run)
}

// markRefusals marks what is refused because the version is published.
func markRefusals(v *v1alpha1.Version, p publication, run bool) {
	if run && v.WantedState() == v1alpha1.StateStopped && p.blocksStop(v.Status.Phase) {
		v.MarkStopRefused()
	} else {
		v.MarkStopNotRefused()
	}
	if v.DeletionTimestamp != nil && p.blocksDeletion() {
		v.MarkDeleteRefused()
	} else {
		v.MarkDeleteNotRefused()
	}
}

// save writes the status if it has changed, and reports the change as events.
func (r *reconciler) save(ctx context.Context, before, v *v1alpha1.Version) error {
	if equality.Semantic.DeepEqual(before.Status, v.Status) {
		return nil
	}
	written, err := apply.PatchStatus(ctx, r.client, before, v)
	if written {
		r.report(v, before.Status)
	}
	return err
}

// report emits events about the changes of the status since before.
func (r *reconciler) report(v *v1alpha1.Version, before v1alpha1.VersionStatus) {
	old, ready := before.Condition(v1alpha1.ConditionReady), v.Status.Condition(v1alpha1.ConditionReady)
	isCause := ready.Status == metav1.ConditionFalse && !v1alpha1.IsExpected(ready.Reason)
	if isCause && (old == nil || old.Reason != ready.Reason || old.Message != ready.Message) {
		r.events.Eventf(v, nil, corev1.EventTypeWarning, ready.Reason, "Reconcile", "%s", ready.Message)
	}
	switch phase := v.Status.Phase; {
	case before.Phase == phase || before.Phase == "" && phase == v1alpha1.PhaseStopped:
	case phase == v1alpha1.PhaseStopped && isCause:
		r.events.Eventf(v, nil, corev1.EventTypeWarning, "StartFailed", "Start",
			"the start has failed; it continues once the cause is fixed: %s", ready.Message)
	default:
		r.events.Eventf(v, nil, corev1.EventTypeNormal, string(phase), "Reconcile", "the version is %s", phase)
	}
}
