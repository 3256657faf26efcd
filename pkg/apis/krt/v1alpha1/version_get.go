package v1alpha1

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GetConditions returns the conditions, for tools that read conditions of any kind.
func (v *Version) GetConditions() []metav1.Condition { return v.Status.Conditions }

// GetConditions returns the conditions, for tools that read conditions of any kind.
func (r *Runtime) GetConditions() []metav1.Condition { return r.Status.Conditions }

// Condition returns the condition of a type, nil if there is none.
func (s *VersionStatus) Condition(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(s.Conditions, conditionType)
}

// Condition returns the condition of a type, nil if there is none.
func (s *RuntimeStatus) Condition(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(s.Conditions, conditionType)
}

// IsReady reports whether the version is ready in its current generation: Ready of an older generation
// does not count.
func (v *Version) IsReady() bool {
	c := v.Status.Condition(ConditionReady)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == v.Generation
}

// WantedState is spec.state, StateStopped when it is empty.
func (v *Version) WantedState() State {
	if v.Spec.State == StateStarted {
		return StateStarted
	}
	return StateStopped
}

// Delivery is how the version's events travel, DeliverySequence when it is empty.
func (v *Version) Delivery() Delivery {
	if d := v.Spec.Entrypoint.Delivery; d != "" {
		return d
	}
	return DeliverySequence
}

// IsReady reports whether spec.publishedVersion is published.
func (r *Runtime) IsReady() bool {
	c := r.Status.Condition(ConditionReady)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == r.Generation
}

// SetKind sets apiVersion and kind, which clients leave empty: a printed object needs them.
func (v *Version) SetKind() { v.SetGroupVersionKind(GroupVersion.WithKind("Version")) }

// AnnotationStop, on a version with durable delivery that is asked to stop, has the value
// [StopNow] if it is not to wait until its queue is empty.
const (
	AnnotationStop = "krt.dev/stop"
	StopNow        = "now"
)

// MostWarm is how far ahead the time of [AnnotationWarmUntil] may be.
const MostWarm = 7 * 24 * time.Hour

// AnnotationWarmUntil is, on a version, the time (RFC 3339) until which its nodes are kept up that may be at zero. One
// that is further ahead than [MostWarm] has no effect until it is not.
const AnnotationWarmUntil = "krt.dev/warm-until"

// warmExample is a time as the annotation has it. It is always the same: a status is written when it changes.
const warmExample = "2026-03-02T18:00:00Z"

// WarmUntil is until when nodes are kept up, zero if they are not, and what is wrong with the annotation; empty if
// nothing is. The time is there also if all that is wrong is that it is too far ahead.
func (v *Version) WarmUntil(now time.Time) (until time.Time, problem string) {
	text := v.Annotations[AnnotationWarmUntil]
	if text == "" {
		return time.Time{}, ""
	}
	until, err := time.Parse(time.RFC3339, text)
	until = until.Truncate(time.Second) // as times in a status are
	switch {
	case err != nil:
		return time.Time{}, fmt.Sprintf("%s: %q is not a time such as %q", AnnotationWarmUntil, text[:min(len(text), 64)], warmExample)
	case until.After(now.Add(MostWarm)):
		return until, fmt.Sprintf("%s: %s is more than %.0f hours ahead", AnnotationWarmUntil, until.UTC().Format(time.RFC3339), MostWarm.Hours())
	}
	return until, ""
}

// StopsNow reports whether a stop leaves what waits in the version's queue there.
func (v *Version) StopsNow() bool { return v.Annotations[AnnotationStop] == StopNow }

// QueueProblem is why the version's queue cannot be used, as last reported; empty if it can.
func (v *Version) QueueProblem() string {
	if c := v.Status.Condition(ConditionEntrypointReady); c != nil && c.Reason == ReasonQueueUnavailable {
		return c.Message
	}
	return ""
}
