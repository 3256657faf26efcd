package remote

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

// age is how long ago t was, as kn and kubectl write it; nothing if it never was.
func age(t metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	return duration.HumanDuration(time.Since(t.Time))
}

// mark is the sign of a condition.
func mark(c metav1.Condition) string {
	warns := slices.Contains([]string{
		v1alpha1.ConditionStopRefused, v1alpha1.ConditionDeleteRefused, v1alpha1.ConditionStoreUnavailable,
	}, c.Type)
	switch {
	case c.Status == metav1.ConditionTrue && warns, c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonBehind:
		return term.MarkWarning
	case c.Status == metav1.ConditionTrue:
		return term.MarkGood
	case c.Status == metav1.ConditionFalse && v1alpha1.IsExpected(c.Reason):
		return term.MarkInfo
	case c.Status == metav1.ConditionFalse:
		return term.MarkBad
	default:
		return term.MarkUnknown
	}
}
