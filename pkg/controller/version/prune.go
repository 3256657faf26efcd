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

// prune deletes the stale objects of a version: those that are no longer desired and not in use. due is after
// what time to prune again.
func (r *reconciler) prune(ctx context.Context, want desired, have current, keep []client.Object) (due time.Duration, err error) {
	stale, err := r.applier.Stale(ctx, want.version, keep, r.kinds()...)
	switch {
	case len(stale) == 0:
	case want.live:
		stale, due = r.unused(ctx, want, have, keep, stale)
	case !r.left(ctx, want, deploymentOf(keep), have.at):
		stale = slices.DeleteFunc(stale, func(o client.Object) bool { return !isDeployment(o) })
	}
	_, failed := r.applier.Delete(ctx, stale...)
	return due, errors.Join(err, failed, r.pruneCredentials(ctx, want, have))
}

// unused returns which stale objects of a live version nothing uses, and after what time
// more of them are. What the version is made of now stays: only another kn-krt does not
// desire it; but a configuration of the entrypoint goes, as the one that its pods mount is kept. What it had before
// stays until the entrypoint's pods of that time have sent their responses and are gone, and no more of them can start;
// its Sequences also until the work that these pods may have left in them is over.
func (r *reconciler) unused(
	ctx context.Context, want desired, have current, keep, stale []client.Object,
) (unused []client.Object, due time.Duration) {
	present := map[string]bool{}
	for _, o := range keep {
		present[basis(o)] = true
	}
	stale = slices.DeleteFunc(stale, func(o client.Object) bool { return present[basis(o)] && !isContent(want.version, o) })
	if len(stale) == 0 || !settledAs(have.deployment, deploymentOf(keep)) || !r.left(ctx, want, have.deployment, have.at) {
		return nil, 0
	}
	left := time.Duration(0)
	if until := want.plan.with.FormerUntil; until != nil {
		left = until.Sub(have.at)
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

// basis is what an object is made of, as [madeOf] has written it, without what is made anew of one node.
func basis(o client.Object) string {
	parts := strings.SplitN(o.GetAnnotations()[apply.MadeAnnotation], "-", 3)
	return strings.Join(parts[:min(len(parts), 2)], "-")
}

// settledAs reports whether a Deployment is as it is desired, and has all of its pods: no ReplicaSet of before
// makes any.
func settledAs(d, desired *appsv1.Deployment) bool {
	return d != nil && desired != nil && observe.DeploymentReady(d) && basis(d) == basis(desired)
}

func deploymentOf(objects []client.Object) *appsv1.Deployment {
	for _, o := range objects {
		if d, ok := o.(*appsv1.Deployment); ok {
			return d
		}
	}
	return nil
}

func isDeployment(o client.Object) bool {
	_, ok := o.(*appsv1.Deployment)
	return ok
}

// left reports whether all pods of the entrypoint are gone that are not of d, nil if it has no Deployment: they may have
// requests, in a version that has been started again while it was stopping too. What cannot be read has not happened.
func (r *reconciler) left(ctx context.Context, want desired, d *appsv1.Deployment, now time.Time) bool {
	pods, err := r.pods(ctx, want.version)
	return err == nil && !slices.ContainsFunc(pods, func(p corev1.Pod) bool { return isOfBefore(p, d, now) })
}

// isOfBefore reports whether a pod is of the entrypoint, may be at work, and has another configuration than d gives its
// pods, nil if there is no Deployment.
func isOfBefore(p corev1.Pod, d *appsv1.Deployment, now time.Time) bool {
	return isEntrypoint(p) && !isLost(p, now) && !observe.HasEnded(&p) && (d == nil ||
		p.Annotations[render.AnnotationContentHash] != d.Spec.Template.Annotations[render.AnnotationContentHash])
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
