package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BeginStatus prepares the status for one reconcile of the runtime.
func (r *Runtime) BeginStatus() {
	r.Status.ObservedGeneration = r.Generation
	if r.Status.Condition(ConditionReady) == nil {
		r.mark(metav1.ConditionUnknown, ReasonPublishing, "")
	}
}

// MarkPublished reports that active-entrypoint routes to version since at. The history gets one entry
// for it, with spec.comment. If it was the canary, there is none any more.
func (r *Runtime) MarkPublished(version string, at metav1.Time) {
	s := &r.Status
	if s.PublishedVersion != version {
		s.closeHistory(at)
		s.PublishedVersion, s.Since = version, &at
		if s.Canary != nil && s.Canary.Version == version {
			s.Canary = nil
		}
		s.History = appendHistory(s.History, Publication{Version: version, From: at, Comment: r.Spec.Comment})
	}
	r.mark(metav1.ConditionTrue, ReasonPublished, "")
}

// MarkNothingPublished reports that no version is published, as the spec asks, since at.
func (r *Runtime) MarkNothingPublished(at metav1.Time) {
	s := &r.Status
	s.closeHistory(at)
	s.PublishedVersion, s.Since = "", nil
	r.mark(metav1.ConditionTrue, ReasonNothingPublished, "no version is published")
}

// MarkPublishing reports what the version to publish waits for. The version that was published before
// stays published.
func (r *Runtime) MarkPublishing(message string) {
	r.mark(metav1.ConditionUnknown, ReasonPublishing, message)
}

// MarkNotReady reports why the version cannot be published, or why the Service
// active-entrypoint cannot be written, and what to do next.
// ReasonPublishing is work in progress, any other reason needs a person.
func (r *Runtime) MarkNotReady(reason, message string) {
	if reason == ReasonPublishing {
		r.MarkPublishing(message)
		return
	}
	r.mark(metav1.ConditionFalse, reason, message)
}

// closeHistory ends the current publication.
func (s *RuntimeStatus) closeHistory(at metav1.Time) {
	if n := len(s.History); n > 0 && s.History[n-1].To == nil {
		s.History[n-1].To = &at
	}
}

// mark sets Ready, for the observed generation.
func (r *Runtime) mark(status metav1.ConditionStatus, reason, message string) {
	setCondition(&r.Status.Conditions, metav1.Condition{
		Type: ConditionReady, Status: status, Reason: reason, Message: message, ObservedGeneration: r.Status.ObservedGeneration,
	})
}
