package v1alpha1

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MarkCurrent says that the version was started with all that is the cluster's now.
func (v *Version) MarkCurrent() {
	v.mark(ConditionCurrent, metav1.ConditionTrue, ReasonCurrent, "")
}

// MarkBehind says of what the cluster has another than the version was started
// with: names of settings, "entrypoint-image", "kn-krt". One at least must be given.
func (v *Version) MarkBehind(names ...string) {
	v.mark(ConditionCurrent, metav1.ConditionFalse, ReasonBehind,
		fmt.Sprintf("changed since it was started: %s; have it taken on: %s", strings.Join(names, ", "), v.Command("restart")))
}

// MarkRestarting says what a restart waits for. What ran before runs on meanwhile.
func (v *Version) MarkRestarting(message string) {
	v.mark(ConditionCurrent, metav1.ConditionUnknown, ReasonRestarting, message)
}

// MarkRestartFailing says why a restart does not come about. What ran before runs on.
func (v *Version) MarkRestartFailing(reason, message string) {
	v.mark(ConditionCurrent, metav1.ConditionFalse, reason, "what ran before the restart runs on: "+message)
}

// MarkNotRunning takes Current away.
func (v *Version) MarkNotRunning() {
	meta.RemoveStatusCondition(&v.Status.Conditions, ConditionCurrent)
}
