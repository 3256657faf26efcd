package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/warm"
	"krt.dev/kn-krt/pkg/observe"
)

// warmInterval is after what time it is looked again whether nodes are up.
const warmInterval = 250 * time.Millisecond

// readying is a version that is about to get requests of a runtime: as its published version, or as a canary.
type readying struct {
	runtime types.UID
	canary  bool
}

// warmth is how far its nodes are. Once it is over it stays so, until another version is about to get requests, or the
// same one as another canary: nodes that go to sleep again must not take back a decision.
type warmth struct {
	version types.UID
	plan    string // what a canary is to get; see [v1alpha1.Canary.ID]
	since   time.Time
	over    bool
}

// cold returns why a version does not get requests yet: nodes that are at zero are being woken, so that the first
// callers need not wait for them. Nil: all are up, nothing wakes them, or the wait is over, which is reported.
func (r *reconciler) cold(ctx context.Context, rt *v1alpha1.Runtime, v *v1alpha1.Version, canary bool) *observe.Cause {
	now := time.Now()
	if !r.wakes(v) || canary && isDecided(rt, v) {
		return nil
	}
	key := readying{rt.UID, canary}
	w := r.warmth(key, rt, v, now)
	if w.over {
		return nil
	}
	down := r.warmer.Wake(v, now)
	w.over = unreachable(down) || now.Sub(w.since) >= r.warmWait || !canary && r.broken(ctx, rt)
	r.mu.Lock()
	r.warmths[key] = w
	r.mu.Unlock()
	if !w.over {
		return &observe.Cause{Reason: v1alpha1.ReasonPublishing, Message: fmt.Sprintf(
			"nodes of version %q are being woken: %s", v.Name, list(down, false))}
	}
	if len(down) > 0 {
		r.events.Eventf(rt, nil, corev1.EventTypeWarning, "NotWarm", "WarmUp",
			"version %q gets requests although nodes are not up, so that the first may wait for them: %s", v.Name, list(down, true))
	}
	return nil
}

// isDecided reports whether no decision about a canary depends on its nodes any more: it gets requests, and a controller
// that is new takes nothing back, or its plan has rolled it back, and it will get none.
func isDecided(rt *v1alpha1.Runtime, v *v1alpha1.Version) bool {
	c := rt.Status.Canary
	return c != nil && c.Version == v.Name &&
		(c.Receiving || c.Phase == v1alpha1.CanaryRolledBack && c.Of == rt.Spec.Canary.ID(rt.Status.PublishedVersion))
}

// warmth returns how far the nodes of a version are, which is about to get requests.
func (r *reconciler) warmth(key readying, rt *v1alpha1.Runtime, v *v1alpha1.Version, now time.Time) warmth {
	begins := warmth{version: v.UID, since: now}
	if key.canary {
		begins.plan = rt.Spec.Canary.ID(rt.Status.PublishedVersion)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.warmths[key]; w.version == begins.version && w.plan == begins.plan {
		return w
	}
	return begins
}

// unreachable reports whether none of the nodes that are down can be woken, which is so if none is down, too.
func unreachable(down []warm.Down) bool {
	return !slices.ContainsFunc(down, func(d warm.Down) bool { return !d.Unreachable })
}

// broken reports whether the published version is not ready, or does not exist any more: whoever rolls it back does not
// wait, because callers of a node that starts are better off. What cannot be read is not broken.
func (r *reconciler) broken(ctx context.Context, rt *v1alpha1.Runtime) bool {
	if rt.Status.PublishedVersion == "" {
		return false
	}
	var v v1alpha1.Version
	err := r.client.Get(ctx, types.NamespacedName{Namespace: rt.Namespace, Name: rt.Status.PublishedVersion}, &v)
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	return apierrors.IsNotFound(err) || err == nil && ready != nil && ready.Status == metav1.ConditionFalse
}

// wakes reports whether nodes of a version are woken at all.
func (r *reconciler) wakes(v *v1alpha1.Version) bool {
	return r.warmWait > 0 && v.Status.StartedWith != nil && v.Status.StartedWith.Warm && warm.Settings(v).WarmsUp(v)
}

// unready reports whether a version was ready until its nodes were woken, and is not now because there is no machine for
// a pod of them: Knative marks a Revision as failed meanwhile. That takes longer than it is waited for nodes, or forever.
// It is not said of one that has its requests, which is judged as it is, and of no canary for which there will be no
// machine: that one would lose at once what it gets.
func (r *reconciler) unready(rt *v1alpha1.Runtime, v *v1alpha1.Version, canary bool) bool {
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	waits := ready != nil && (ready.Reason == v1alpha1.ReasonWaitingForNode || !canary && ready.Reason == v1alpha1.ReasonUnschedulable)
	receives := rt.Spec.PublishedVersion == rt.Status.PublishedVersion
	if canary {
		receives = rt.Receives(v.Name)
	}
	if !waits || receives || v.DeletionTimestamp != nil || v.WantedState() == v1alpha1.StateStopped {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w, found := r.warmths[readying{rt.UID, canary}]
	return found && w.version == v.UID
}

// warming forgets what is over because the version has its requests, or is not to have them any more, and returns
// after what time to look again whether nodes are up; 0 for never. rt is as it was read: what is not yet known to be
// written may have to be decided again.
func (r *reconciler) warming(rt *v1alpha1.Runtime, now time.Time) (due time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rt.Spec.PublishedVersion == rt.Status.PublishedVersion {
		delete(r.warmths, readying{rt.UID, false})
	}
	if c := rt.Spec.Canary; c == nil || rt.Receives(c.Version) {
		delete(r.warmths, readying{rt.UID, true})
	}
	for _, canary := range []bool{false, true} {
		if w, found := r.warmths[readying{rt.UID, canary}]; found && !w.over && now.Sub(w.since) <= r.warmWait+time.Second {
			due = warmInterval
		}
	}
	return due
}

// list names nodes, and why they are not up.
func list(down []warm.Down, why bool) string {
	var texts []string
	for _, d := range down {
		text := d.Name
		if why && d.Why != "" {
			text = fmt.Sprintf("%s (%s)", d.Name, d.Why)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}
