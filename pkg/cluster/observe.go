package cluster

import (
	"cmp"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Situation is what a version that is on its way to a [Goal] is in.
type Situation string

// Situations in which to wait.
const (
	// SituationUnknown: the version does not have the condition yet.
	SituationUnknown Situation = ""
	// SituationUnobserved: the controller has not seen the last change yet.
	SituationUnobserved Situation = "Unobserved"
	// SituationProgressing: work in progress; the message is a condition's.
	SituationProgressing Situation = "Progressing"
	// SituationDraining: a version that stops finishes its requests in flight.
	SituationDraining Situation = "Draining"
	// SituationDeleting: the objects of a version are being deleted.
	SituationDeleting Situation = "Deleting"
)

// Situations that need a person, or another change, to end them.
const (
	// SituationFailing: a condition is False; the message is "Reason: message" of it.
	SituationFailing Situation = "Failing"
	// SituationGone: the version has been deleted.
	SituationGone Situation = "Gone"
	// SituationAskedToStop: the state in the version's spec is Stopped.
	SituationAskedToStop Situation = "AskedToStop"
	// SituationAskedToStart: the state in the version's spec is Started.
	SituationAskedToStart Situation = "AskedToStart"
	// SituationNotDeleted: the version was not asked to be deleted.
	SituationNotDeleted Situation = "NotDeleted"
	// SituationAskedToPublish: the version that is to be unpublished is the one in the
	// Runtime's spec.
	SituationAskedToPublish Situation = "AskedToPublish"
	// SituationOtherPublished: another version than the one waited for is to be
	// published, or none.
	SituationOtherPublished Situation = "OtherPublished"
	// SituationAskedToServe: the version that is to be aborted is the canary in the Runtime's spec.
	SituationAskedToServe Situation = "AskedToServe"
	// SituationOtherCanary: another version than the one waited for is to be the canary, or none.
	SituationOtherCanary Situation = "OtherCanary"
)

// Observation is what was seen of a version that is on its way to a [Goal].
type Observation struct {
	Situation Situation
	// Message explains SituationProgressing and SituationFailing; else it is empty.
	Message string
	// Other is the version of SituationOtherPublished or SituationOtherCanary; "" for none.
	Other string
}

// Blocked reports whether it may take a person, or another change, to reach the goal.
func (o Observation) Blocked() bool {
	switch o.Situation {
	case SituationFailing, SituationGone, SituationAskedToStop, SituationAskedToStart, SituationNotDeleted,
		SituationAskedToPublish, SituationOtherPublished, SituationAskedToServe, SituationOtherCanary:
		return true
	}
	return false
}

// String is the observation in words; "" for SituationUnknown.
func (o Observation) String() string {
	switch o.Situation {
	case SituationUnobserved:
		return "waiting for the controller to see the change"
	case SituationDraining:
		return "waiting for requests in flight to finish"
	case SituationDeleting:
		return "waiting for the version's objects to be deleted"
	case SituationGone:
		return "it has been deleted"
	case SituationAskedToStop:
		return "it was asked to be Stopped"
	case SituationAskedToStart:
		return "it was asked to be Started"
	case SituationNotDeleted:
		return "it was not asked to be deleted"
	case SituationAskedToPublish:
		return "it was asked to be published"
	case SituationOtherPublished:
		return o.other("to be published")
	case SituationAskedToServe:
		return "it was asked to be a canary"
	case SituationOtherCanary:
		return o.other("to be a canary")
	}
	return o.Message
}

// other is what was asked of another version, or of none.
func (o Observation) other(what string) string {
	if o.Other == "" {
		return "no version was asked " + what
	}
	return fmt.Sprintf("version %q was asked %s", o.Other, what)
}

// Phase is the version's phase: Stopped before the controller has seen it.
func Phase(v *v1alpha1.Version) v1alpha1.Phase {
	return cmp.Or(v.Status.Phase, v1alpha1.PhaseStopped)
}

// Readiness is what a version that is not ready waits for, by its condition Ready; nothing
// if that is True.
func Readiness(v *v1alpha1.Version) Observation {
	return byCondition(v.Status.Condition(v1alpha1.ConditionReady))
}

// byCondition is the observation of a condition: nothing of one that is True, or nil because
// it does not exist.
func byCondition(c *metav1.Condition) Observation {
	switch {
	case c == nil, c.Status == metav1.ConditionTrue:
		return Observation{}
	case c.Status == metav1.ConditionFalse && !v1alpha1.IsExpected(c.Reason):
		return failing(c)
	}
	return Observation{Situation: SituationProgressing, Message: cmp.Or(c.Message, c.Reason)}
}

// failing is the condition as a cause: "Reason: message".
func failing(c *metav1.Condition) Observation {
	text := c.Reason
	if c.Message != "" {
		text += ": " + c.Message
	}
	return Observation{Situation: SituationFailing, Message: text}
}
