package version

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// prune deletes the stale objects of a version: those that are no longer desired, but of
// a live version only what is not in use. due is after what time to prune again.
func (r *reconciler) prune(ctx context.Context, want desired, have current, keep []client.Object) (due time.Duration, err error) {
	stale, err := r.applier.Stale(ctx, want.version, keep, r.kinds()...)
	if want.live && len(stale) > 0 {
		stale, due = r.unused(ctx, want, have, stale)
	}
	_, failed := r.applier.Delete(ctx, stale...)
	return due, errors.Join(err, failed, r.pruneCredentials(ctx, want, have))
}

// unused returns which stale objects of a live version nothing uses, and after what time
// more of them are. What the version was started with stays: only another kn-krt does not
// desire it. What it had before a restart stays until the entrypoint's pods of that time
// have sent their responses and are gone; its Sequences also until the work that these
// pods may have left in them is over.
func (r *reconciler) unused(
	ctx context.Context, want desired, have current, stale []client.Object,
) (unused []client.Object, due time.Duration) {
	with := want.plan.with
	id := identity(with)
	stale = slices.DeleteFunc(stale, func(o client.Object) bool { return hasIdentity(o, id) })
	if len(stale) == 0 || !r.drained(ctx, want, have, id) {
		return nil, 0
	}
	left := time.Duration(0)
	if with.FormerUntil != nil {
		left = with.FormerUntil.Sub(have.at)
	}
	for _, o := range stale {
		if _, isSequence := o.(*flowsv1.Sequence); isSequence && left > 0 {
			due = left
			continue
		}
		unused = append(unused, o)
	}
	return unused, due
}

func hasIdentity(o client.Object, id string) bool {
	return strings.HasPrefix(o.GetAnnotations()[apply.MadeAnnotation], id)
}

// drained reports whether all pods of the entrypoint are of its Deployment as it is now
// specified. What cannot be read has not happened.
func (r *reconciler) drained(ctx context.Context, want desired, have current, id string) bool {
	d := have.deployment
	if d == nil || !observe.DeploymentReady(d) || !hasIdentity(d, id) {
		return false
	}
	pods, err := r.pods(ctx, want.version)
	return err == nil && !slices.ContainsFunc(pods, func(p corev1.Pod) bool {
		former := p.Annotations[render.AnnotationContentHash] != d.Spec.Template.Annotations[render.AnnotationContentHash]
		return isEntrypoint(p) && former && !isLost(p, have.at)
	})
}

// kinds are empty lists of the kinds of which a version may have objects. The Secret with
// the reply key is not among them: it stays as long as the version does.
func (r *reconciler) kinds() []client.ObjectList {
	lists := []client.ObjectList{&appsv1.DeploymentList{}, &policyv1.PodDisruptionBudgetList{}, &networkingv1.NetworkPolicyList{},
		&corev1.ConfigMapList{}, &corev1.ServiceList{}}
	if r.knative.Serving.Present() {
		lists = append(lists, &servingv1.ServiceList{})
	}
	if r.knative.Eventing.Present() {
		lists = append(lists, &flowsv1.SequenceList{})
	}
	return lists
}

// has reports whether the version has an object of the kinds of these lists, also one
// that is being deleted.
func (r *reconciler) has(ctx context.Context, v *v1alpha1.Version, lists ...client.ObjectList) (bool, error) {
	for _, list := range lists {
		own := client.MatchingFields{apply.OwnerIndex: string(v.UID)}
		if err := r.client.List(ctx, list, client.InNamespace(v.Namespace), own, client.UnsafeDisableDeepCopy); err != nil {
			return false, err
		}
		if meta.LenList(list) > 0 {
			return true, nil
		}
	}
	return false, nil
}
