package cluster

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Goal is what a version can be waited for to become.
type Goal string

// Goals, as they read after "the version is". A restarted version has taken on what
// changed in the cluster since it was started.
const (
	GoalStarted     Goal = "started"
	GoalStopped     Goal = "stopped"
	GoalRestarted   Goal = "restarted"
	GoalPublished   Goal = "published"
	GoalUnpublished Goal = "unpublished"
	GoalDeleted     Goal = "deleted"
	// GoalCanary: it gets its share of the requests, or copies; GoalAborted: it does not any more.
	GoalCanary  Goal = "canary"
	GoalAborted Goal = "aborted"
)

// State is the goal as it reads after "the version is": "started", "a canary".
func (g Goal) State() string {
	if g == GoalCanary {
		return "a canary"
	}
	return string(g)
}

// Ongoing is what a version is doing until it has reached the goal, as it reads after
// "the version is": "starting".
func (g Goal) Ongoing() string {
	switch g {
	case GoalStarted:
		return "starting"
	case GoalStopped:
		return "stopping"
	case GoalRestarted:
		return "restarting"
	case GoalCanary:
		return "becoming a canary"
	}
	return "being " + string(g)
}

// verdict is what an object's state means for a wait.
type verdict struct {
	Observation

	done bool
	// final means that what blocks cannot pass without a change: there is nothing to wait for.
	final bool
	// patient means that what blocks passes where a cluster grows by itself: it is
	// reported, and does not fail the wait.
	patient bool
	// quiet keeps the observation back for a while: mostly it is over in no time.
	quiet bool
}

func final(s Situation) verdict { return verdict{Observation: Observation{Situation: s}, final: true} }

// judge judges a version; exists is false once it is gone.
func (g Goal) judge(v *v1alpha1.Version, exists bool) verdict {
	switch {
	case g == GoalDeleted:
		return judgeDeleted(v, exists)
	case !exists:
		return final(SituationGone)
	case v.Status.ObservedGeneration < v.Generation:
		return unobserved()
	case g == GoalStopped:
		return judgeStopped(v)
	case g == GoalRestarted:
		return judgeRestarted(v)
	}
	return judgeStarted(v)
}

func unobserved() verdict {
	return verdict{Observation: Observation{Situation: SituationUnobserved}, quiet: true}
}

func judgeStarted(v *v1alpha1.Version) verdict {
	if v.Spec.State != v1alpha1.StateStarted {
		return final(SituationAskedToStop)
	}
	switch phase := v.Status.Phase; {
	case !v.IsReady():
	case phase == v1alpha1.PhaseStarted, phase == v1alpha1.PhasePublishing, phase == v1alpha1.PhasePublished:
		return verdict{done: true}
	}
	d := verdict{Observation: Readiness(v)}
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	d.patient = ready != nil && ready.Reason == v1alpha1.ReasonUnschedulable
	d.final = d.Blocked() && v.Status.Phase == v1alpha1.PhaseStopped
	return d
}

func judgeRestarted(v *v1alpha1.Version) verdict {
	current, with := v.Status.Condition(v1alpha1.ConditionCurrent), v.Status.StartedWith
	if current == nil || with == nil || with.Restart == v.Spec.Restart {
		return judgeStarted(v)
	}
	if current.Reason == v1alpha1.ReasonBehind { // the restart has not begun
		return verdict{Observation: Observation{Situation: SituationProgressing, Message: current.Message}}
	}
	return verdict{Observation: byCondition(current)}
}

func judgeStopped(v *v1alpha1.Version) verdict {
	switch refused := v.Status.Condition(v1alpha1.ConditionStopRefused); {
	case refused != nil && refused.Status == metav1.ConditionTrue:
		return verdict{Observation: failing(refused), final: true}
	case v.Spec.State == v1alpha1.StateStarted:
		return final(SituationAskedToStart)
	case v.Status.Phase == v1alpha1.PhaseStopped:
		return verdict{done: true}
	}
	return verdict{Observation: Observation{Situation: SituationDraining}}
}

func judgeDeleted(v *v1alpha1.Version, exists bool) verdict {
	if !exists {
		return verdict{done: true}
	}
	switch refused := v.Status.Condition(v1alpha1.ConditionDeleteRefused); {
	case refused != nil && refused.Status == metav1.ConditionTrue:
		return verdict{Observation: failing(refused), final: true}
	case v.DeletionTimestamp.IsZero():
		return final(SituationNotDeleted)
	}
	return verdict{Observation: Observation{Situation: SituationDeleting}}
}

// judgeRuntime judges whether the Runtime has the named version published, or, with
// published false, not.
func judgeRuntime(r *v1alpha1.Runtime, exists bool, version string, published bool) verdict {
	switch {
	case !exists && !published:
		return verdict{done: true}
	case !exists:
		return final(SituationOtherPublished)
	case r.Spec.PublishedVersion == version && !published:
		return final(SituationAskedToPublish)
	case r.Spec.PublishedVersion != version && published:
		return verdict{Observation: Observation{Situation: SituationOtherPublished, Other: r.Spec.PublishedVersion}, final: true}
	case r.Status.ObservedGeneration < r.Generation:
		return unobserved()
	case (r.Status.PublishedVersion == version) == published:
		return verdict{done: true}
	}
	return verdict{Observation: byCondition(r.Status.Condition(v1alpha1.ConditionReady))}
}

// judgeCanary judges whether the named version gets its share as a canary. One that was promoted
// meanwhile gets more than its share.
func judgeCanary(r *v1alpha1.Runtime, exists bool, version string) verdict {
	if exists && r.Spec.PublishedVersion == version {
		return verdict{done: true}
	}
	named := ""
	if exists {
		named = canaryOf(r)
	}
	if named != version {
		return verdict{Observation: Observation{Situation: SituationOtherCanary, Other: named}, final: true}
	}
	s := r.Status.Canary
	if r.Status.ObservedGeneration < r.Generation || s == nil || s.Version != version {
		return unobserved()
	}
	switch s.Phase {
	case v1alpha1.CanaryRefused, v1alpha1.CanaryRolledBack:
		return verdict{Observation: Observation{Situation: SituationFailing, Message: s.Reason + ": " + s.Message}, final: true}
	case v1alpha1.CanaryWaiting:
		return waitingCanary(s)
	}
	return verdict{done: true}
}

// waitingCanary is what a canary waits for that gets nothing yet, or no more.
func waitingCanary(s *v1alpha1.CanaryStatus) verdict {
	return verdict{Observation: Observation{Situation: SituationProgressing, Message: cmp.Or(s.Message, s.Reason)}}
}

// judgeAborted judges whether the named version gets nothing as a canary any more.
func judgeAborted(r *v1alpha1.Runtime, exists bool, version string) verdict {
	switch {
	case !exists:
		return verdict{done: true}
	case canaryOf(r) == version:
		return final(SituationAskedToServe)
	case r.Status.ObservedGeneration < r.Generation:
		return unobserved()
	case r.Status.Canary == nil || r.Status.Canary.Version != version:
		return verdict{done: true}
	}
	return waitingCanary(r.Status.Canary)
}
