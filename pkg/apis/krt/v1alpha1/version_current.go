package v1alpha1

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MarkCurrent reports that the version was started with the settings and images that the cluster has now.
func (v *Version) MarkCurrent() {
	v.mark(ConditionCurrent, metav1.ConditionTrue, ReasonCurrent, "")
}

// KnKrt is the name by which [Version.MarkBehind] reports that kn-krt renders other objects than the version has, with
// what a restart brings, of [Abilities.Lacks].
func KnKrt(brings []string) string {
	if len(brings) == 0 {
		return "kn-krt"
	}
	return "kn-krt (a restart brings: " + strings.Join(brings, ", ") + ")"
}

// MarkBehind reports what has changed in the cluster since the version was started: names of settings,
// "entrypoint-image", [KnKrt]. Give at least one.
func (v *Version) MarkBehind(names ...string) {
	v.mark(ConditionCurrent, metav1.ConditionFalse, ReasonBehind,
		fmt.Sprintf("changed since it was started: %s; restart it to apply the change: %s", strings.Join(names, ", "), v.Command("restart")))
}

// MarkRestarting reports what a restart waits for. The version runs as before until then.
func (v *Version) MarkRestarting(message string) {
	v.mark(ConditionCurrent, metav1.ConditionUnknown, ReasonRestarting, message)
}

// MarkRestartFailing reports why a restart fails. The version still runs as before.
func (v *Version) MarkRestartFailing(reason, message string) {
	v.mark(ConditionCurrent, metav1.ConditionFalse, reason, "the version still runs as before the restart: "+message)
}

// MarkNotRunning removes Current and StoreUnavailable.
func (v *Version) MarkNotRunning() {
	v.MarkStoreNotUnavailable()
	meta.RemoveStatusCondition(&v.Status.Conditions, ConditionCurrent)
}
