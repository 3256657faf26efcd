package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// share gives the canary its share of the requests, or none, and marks which. obstacle is why
// the version to publish cannot be published. It returns after what time to reconcile again, 0 for
// never, and for how long the version to publish may still divide requests as it did when it
// was published before.
func (r *reconciler) share(ctx context.Context, rt *v1alpha1.Runtime, obstacle *observe.Cause) (due, unsettled time.Duration, err error) {
	now := time.Now()
	have, err := r.division(ctx, rt)
	if err != nil {
		return 0, 0, err
	}
	want, due, err := r.wanted(ctx, rt, obstacle, have, now)
	if err != nil {
		return 0, 0, err
	}
	next, again, err := r.divide(ctx, rt, have, want, now)
	var taken *apply.NotOwnedError
	if errors.As(err, &taken) && rt.Spec.Canary != nil {
		_, due = r.walk(rt, r.take(rt, taken), now)
		next, again, err = r.divide(ctx, rt, have, nil, now) // those of other versions are ours
	}
	if err != nil {
		return 0, 0, err
	}
	if c := rt.Status.Canary; c != nil && !next.names(c.Version) {
		rt.MarkCanaryReceivesNothing()
		if rt.Spec.Canary == nil {
			rt.MarkNoCanary()
		}
	}
	return sooner(due, again), r.unsettled(rt, next, rt.Spec.PublishedVersion, now), nil
}

// sooner returns the shorter of two times; 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// wanted decides how the published version divides requests, as it has them now, nil if it does not, and
// marks that. obstacle is why the version to publish cannot be published.
func (r *reconciler) wanted(
	ctx context.Context, rt *v1alpha1.Runtime, obstacle *observe.Cause, have division, now time.Time,
) (*traffic.Config, time.Duration, error) {
	before, spec := rt.Status.Canary, rt.Spec.Canary
	receives := before != nil && before.Receiving
	if receives && promotes(rt) {
		if config := r.promotion(ctx, rt, obstacle, have, now); config != nil {
			return config, 0, nil
		}
	}
	switch {
	case receives && (spec == nil || spec.Version != before.Version):
		rt.MarkCanaryLeaving()
		return nil, 0, nil
	case spec == nil:
		rt.MarkNoCanary()
		return nil, 0, nil
	}
	cause, refusal, err := r.canaryObstacle(ctx, rt)
	switch {
	case err != nil:
		return nil, 0, err
	case refusal != "":
		r.plans.Forget(rt.UID)
		rt.MarkCanaryRefused(refusal)
		return nil, 0, nil
	}
	gets, due := r.walk(rt, cause, now)
	if !gets {
		return nil, due, nil
	}
	config := render.Share(rt, r.domainOf(ctx, rt.Namespace, spec.Version))
	return &config, due, nil
}

// promotion is how requests are divided while the canary is published instead of what is: it gets all, or what it has
// as long as it only waits for something, such as nodes that are being woken: no client goes back meanwhile. Nil: it
// gets none, because it cannot be published.
func (r *reconciler) promotion(
	ctx context.Context, rt *v1alpha1.Runtime, obstacle *observe.Cause, have division, now time.Time,
) *traffic.Config {
	canary, published := rt.Status.Canary.Version, rt.Status.PublishedVersion
	switch f := have[published]; {
	case obstacle == nil:
		rt.MarkCanaryPromoting()
		r.applying(leaf{rt.UID, published}, now) // after a restart it is not known when they were told
		config := render.Handover(canary, rt.Namespace, r.domainOf(ctx, rt.Namespace, canary))
		return &config
	case obstacle.Reason == v1alpha1.ReasonPublishing && f.Canary != nil && f.Canary.Version == canary:
		return &f.Config
	}
	return nil
}

// promotes reports whether the canary is to be published instead of what is.
func promotes(rt *v1alpha1.Runtime) bool {
	wanted, published := rt.Spec.PublishedVersion, rt.Status.PublishedVersion
	return wanted == rt.Status.Canary.Version && published != "" && wanted != published
}

// canaryObstacle returns why the canary gets no requests: something that it waits for, or a
// contract that is not the published one.
func (r *reconciler) canaryObstacle(ctx context.Context, rt *v1alpha1.Runtime) (cause *observe.Cause, refusal string, err error) {
	name, published := rt.Spec.Canary.Version, rt.Status.PublishedVersion
	switch published {
	case "":
		return &observe.Cause{Reason: v1alpha1.ReasonNothingPublished, Message: "no version is published yet"}, "", nil
	case name:
		return &observe.Cause{Reason: v1alpha1.ReasonPublishing, Message: "it is still the published version"}, "", nil
	}
	if cause, err = r.taken(ctx, rt); cause != nil || err != nil {
		return cause, "", err
	}
	var current, canary v1alpha1.Version
	if cause, err = r.pair(ctx, rt, &current, &canary); cause != nil || err != nil {
		return cause, "", err
	}
	if refusal, err = r.contracts.Compare(ctx, rt.UID, &current, &canary); refusal != "" || err != nil {
		return nil, refusal, err
	}
	if cause := observe.CanaryUnready(rt, &canary); cause != nil && !r.unready(rt, &canary, true) {
		return cause, "", nil
	}
	if cause := observe.CannotDivide(&current, &canary); cause != nil {
		return cause, "", nil
	}
	cause, err = r.unserved(ctx, rt, &canary, true)
	return cause, "", err
}

// pair reads the published version and the canary, or returns why it cannot: one of them does not exist.
func (r *reconciler) pair(ctx context.Context, rt *v1alpha1.Runtime, current, canary *v1alpha1.Version) (*observe.Cause, error) {
	published := rt.Status.PublishedVersion
	err := r.client.Get(ctx, types.NamespacedName{Namespace: rt.Namespace, Name: rt.Spec.Canary.Version}, canary)
	if apierrors.IsNotFound(err) {
		names, err := r.versionNames(ctx, rt.Namespace)
		return observe.CanaryNotFound(rt, names), err
	}
	if err != nil {
		return nil, err
	}
	err = r.client.Get(ctx, types.NamespacedName{Namespace: rt.Namespace, Name: published}, current)
	if apierrors.IsNotFound(err) { // somebody has removed its finalizer
		return &observe.Cause{Reason: v1alpha1.ReasonVersionNotFound,
			Message: fmt.Sprintf("the published version %q does not exist any more; publish another one", published)}, nil
	}
	return nil, err
}

// reportCanary emits events about the changes of the canary since before. Who is published is
// in the history; what was a canary and is not published any more is in these events alone.
func (r *reconciler) reportCanary(rt *v1alpha1.Runtime, before v1alpha1.RuntimeStatus) {
	old, now := before.Canary, rt.Status.Canary
	switch {
	case now != nil && (old == nil || old.Version != now.Version || old.Phase != now.Phase || old.Reason != now.Reason ||
		old.Step != now.Step):
		kind := corev1.EventTypeNormal
		if now.Phase == v1alpha1.CanaryRefused || now.Phase == v1alpha1.CanaryRolledBack {
			kind = corev1.EventTypeWarning
		}
		r.events.Eventf(rt, nil, kind, "Canary"+string(now.Phase), "Canary", "%s", now.Message)
	case now == nil && old != nil && old.Version != rt.Status.PublishedVersion:
		r.events.Eventf(rt, nil, corev1.EventTypeNormal, "CanaryEnded", "Canary", "version %q is no longer the canary", old.Version)
	}
}
