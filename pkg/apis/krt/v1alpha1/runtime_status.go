package v1alpha1

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BeginStatus prepares the status for one look at the runtime.
func (r *Runtime) BeginStatus() {
	r.Status.ObservedGeneration = r.Generation
	if r.Status.Condition(ConditionReady) == nil {
		r.mark(metav1.ConditionUnknown, ReasonPublishing, "")
	}
}

// MarkPublished says that active-entrypoint leads to version since at. The
// history tells it once, with the comment of the spec.
func (r *Runtime) MarkPublished(version string, at metav1.Time) {
	s := &r.Status
	if s.PublishedVersion != version {
		s.closeHistory(at)
		s.PublishedVersion, s.Since = version, &at
		s.History = appendHistory(s.History, Publication{Version: version, From: at, Comment: r.Spec.Comment})
	}
	r.mark(metav1.ConditionTrue, ReasonPublished, "")
}

// MarkNothingPublished says that nothing is published, as the spec asks, since at.
func (r *Runtime) MarkNothingPublished(at metav1.Time) {
	s := &r.Status
	s.closeHistory(at)
	s.PublishedVersion, s.Since = "", nil
	r.mark(metav1.ConditionTrue, ReasonNothingPublished, "no version is published")
}

// MarkPublishing says what the version to publish waits for. What was published
// before stays so.
func (r *Runtime) MarkPublishing(message string) {
	r.mark(metav1.ConditionUnknown, ReasonPublishing, message)
}

// MarkVersionNotFound says that the version to publish does not exist, and offers
// the nearest name there is, if any.
func (r *Runtime) MarkVersionNotFound(nearest string) {
	hint := "; those there are"
	if nearest != "" {
		hint = fmt.Sprintf("; did you mean %q? Those there are", nearest)
	}
	r.mark(metav1.ConditionFalse, ReasonVersionNotFound, fmt.Sprintf(
		"there is no version %q%s%s: kn krt list -n %s", r.Spec.PublishedVersion, r.stays(), hint, r.Namespace))
}

// MarkVersionNotReady says why the version to publish cannot be, in the words of
// its own Ready condition.
func (r *Runtime) MarkVersionNotReady(message string) {
	r.mark(metav1.ConditionFalse, ReasonVersionNotReady, fmt.Sprintf(
		"version %q is not ready%s: %s", r.Spec.PublishedVersion, r.stays(), message))
}

// MarkNotReady says why the Service active-entrypoint cannot be as it should, and
// what to do next.
func (r *Runtime) MarkNotReady(reason, message string) {
	r.mark(metav1.ConditionFalse, reason, message)
}

// stays names what is published meanwhile.
func (r *Runtime) stays() string {
	if p := r.Status.PublishedVersion; p != "" && p != r.Spec.PublishedVersion {
		return fmt.Sprintf(" (%q stays published)", p)
	}
	return ""
}

// closeHistory ends the publication that lasts.
func (s *RuntimeStatus) closeHistory(at metav1.Time) {
	if n := len(s.History); n > 0 && s.History[n-1].To == nil {
		s.History[n-1].To = &at
	}
}

// mark sets Ready, of the generation that is looked at.
func (r *Runtime) mark(status metav1.ConditionStatus, reason, message string) {
	setCondition(&r.Status.Conditions, metav1.Condition{
		Type: ConditionReady, Status: status, Reason: reason, Message: message, ObservedGeneration: r.Status.ObservedGeneration,
	})
}
