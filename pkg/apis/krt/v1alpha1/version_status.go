package v1alpha1

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BeginStatus prepares the status for one reconcile of the version: the observed generation, the
// conditions, and nodes and workflows in the order of the spec. What is known of them stays until it is
// marked again.
func (v *Version) BeginStatus() {
	s := &v.Status
	s.ObservedGeneration = v.Generation
	for _, t := range []string{ConditionReady, ConditionConfigReady, ConditionNodesReady, ConditionWorkflowsReady, ConditionEntrypointReady} {
		if s.Condition(t) == nil {
			v.mark(t, metav1.ConditionUnknown, ReasonDeploying, "")
		}
	}
	if s.Condition(ConditionPublished) == nil {
		v.MarkNotPublished()
	}
	nodes := make([]NodeStatus, len(v.Spec.Nodes))
	for i, n := range v.Spec.Nodes {
		nodes[i] = NodeStatus{Name: n.Name, Reason: ReasonDeploying}
		if known := s.node(n.Name); known != nil {
			nodes[i] = *known
		}
	}
	workflows := make([]WorkflowStatus, len(v.Spec.Workflows))
	for i, w := range v.Spec.Workflows {
		workflows[i] = WorkflowStatus{Name: w.Name, Reason: ReasonDeploying}
		if known := s.workflow(w.Name); known != nil {
			workflows[i] = *known
		}
	}
	s.Nodes, s.Workflows = nodes, workflows
}

// FinishStatus summarizes what was marked since BeginStatus: nodes in NodesReady, workflows in
// WorkflowsReady, and all of it in Ready. It is called once, at the end, so that an intermediate state of a
// reconcile does not change a transition time.
func (v *Version) FinishStatus() {
	s := &v.Status
	nodes := sum{what: "node"}
	for _, n := range s.Nodes {
		nodes.add(n.Name, n.Ready, n.Reason, n.Message)
	}
	v.setSum(ConditionNodesReady, nodes)
	workflows := sum{what: "workflow"}
	for _, w := range s.Workflows {
		workflows.add(w.Name, w.Ready, w.Reason, w.Message)
	}
	v.setSum(ConditionWorkflowsReady, workflows)

	worst := metav1.Condition{Status: metav1.ConditionTrue, Reason: ReasonReady}
	for _, t := range []string{ConditionConfigReady, ConditionNodesReady, ConditionWorkflowsReady, ConditionEntrypointReady} {
		if c := s.Condition(t); c != nil && severity(*c) > severity(worst) {
			worst = *c
		}
	}
	v.mark(ConditionReady, worst.Status, worst.Reason, worst.Message)
}

// severity orders conditions by what Ready should report first.
func severity(c metav1.Condition) int {
	switch {
	case c.Status == metav1.ConditionTrue:
		return 0
	case c.Status == metav1.ConditionUnknown:
		return 1
	case IsExpected(c.Reason):
		return 3
	default:
		return 2
	}
}

// sum summarizes the states of several nodes, or workflows, in one condition.
type sum struct {
	what            string
	total           int
	failed, waiting []string
	reason, message string // of the first that failed
	machine         string // of the first that waits for a machine
	warning, warns  string // of the first that is ready and has one, and the reason
}

func (s *sum) add(name string, ready bool, reason, message string) {
	s.total++
	switch {
	case ready:
		if s.warning == "" && message != "" {
			s.warning, s.warns = fmt.Sprintf("%s %q: %s", s.what, name, message), reason
		}
	case reason == ReasonWaitingForNode:
		if s.machine == "" {
			s.machine = fmt.Sprintf("%s %q: %s", s.what, name, message)
		}
	case reason == ReasonDeploying:
		s.waiting = append(s.waiting, name)
	default:
		if s.failed == nil {
			s.reason, s.message = reason, message
		}
		s.failed = append(s.failed, name)
	}
}

func (v *Version) setSum(conditionType string, s sum) {
	switch {
	case s.failed != nil && IsExpected(s.reason):
		v.mark(conditionType, metav1.ConditionFalse, s.reason, s.message)
	case s.failed != nil:
		message := fmt.Sprintf("%s %q: %s", s.what, s.failed[0], s.message)
		if others := s.failed[1:]; len(others) > 0 {
			message = fmt.Sprintf("%s (also not ready: %s)", message, quoted(others))
		}
		v.mark(conditionType, metav1.ConditionFalse, s.reason, message)
	case s.machine != "":
		v.mark(conditionType, metav1.ConditionUnknown, ReasonWaitingForNode, s.machine)
	case s.waiting != nil:
		v.mark(conditionType, metav1.ConditionUnknown, ReasonDeploying,
			fmt.Sprintf("waiting for %d of %d %ss: %s", len(s.waiting), s.total, s.what, quoted(s.waiting)))
	case s.warning != "":
		v.mark(conditionType, metav1.ConditionTrue, s.warns, s.warning)
	default:
		v.mark(conditionType, metav1.ConditionTrue, ReasonReady, "")
	}
}

// MarkConfigReady reports that every declared variable and file has a value.
func (v *Version) MarkConfigReady() {
	v.mark(ConditionConfigReady, metav1.ConditionTrue, ReasonReady, "")
}

// MarkConfigUnknownKeys reports that every declared variable and file has a value, and that
// the Secret also has keys that the version does not declare. Give at least one key.
func (v *Version) MarkConfigUnknownKeys(secret string, keys ...string) {
	v.mark(ConditionConfigReady, metav1.ConditionTrue, ReasonUnknownKeys,
		fmt.Sprintf("Secret %q has keys that the version does not declare: %s", secret, quoted(slices.Sorted(slices.Values(keys)))))
}

// MarkConfigMissing reports which variables and files have no value in the Secret. Give at
// least one name.
func (v *Version) MarkConfigMissing(secret string, names ...string) {
	names = slices.Sorted(slices.Values(names))
	var flags []string
	for _, name := range names[:min(len(names), maxNamed)] {
		if slices.Contains(v.Spec.Config.Files, name) {
			flags = append(flags, "--set-from-file "+name+"=PATH")
		} else {
			flags = append(flags, "--set "+name+"=VALUE")
		}
	}
	v.mark(ConditionConfigReady, metav1.ConditionFalse, ReasonConfigMissing,
		fmt.Sprintf("no value in Secret %q for %s; set it: %s", secret, quoted(names), v.Command("config", flags...)))
}

// MarkConfigUnreadable reports why the Secret with the values cannot be read.
func (v *Version) MarkConfigUnreadable(message string) {
	v.mark(ConditionConfigReady, metav1.ConditionFalse, ReasonConfigUnreadable, message)
}

// MarkEntrypointReady reports that the entrypoint accepts requests, and at which address.
func (v *Version) MarkEntrypointReady(url string) {
	v.Status.Address = &Address{URL: url}
	v.mark(ConditionEntrypointReady, metav1.ConditionTrue, ReasonReady, "")
}

// MarkEntrypointNotReady reports why the entrypoint is not ready, and what to do next.
// ReasonDeploying is work in progress, any other reason needs a person.
func (v *Version) MarkEntrypointNotReady(reason, message string) {
	status := metav1.ConditionFalse
	if reason == ReasonDeploying {
		status = metav1.ConditionUnknown
	}
	v.mark(ConditionEntrypointReady, status, reason, message)
}

// MarkStopping reports that the version is asked to stop and is still draining.
func (v *Version) MarkStopping() {
	v.markDown(ReasonStopping, "the version is stopping: requests in flight are being completed")
}

// MarkDraining reports that the version is asked to stop and first does what waits in its queue:
// what is known of that, such as "3 events wait in its queue".
func (v *Version) MarkDraining(waits string) {
	v.markDown(ReasonStopping, fmt.Sprintf("the version is stopping, and accepts no requests: %s; "+
		"to leave what is left there until the next start: %s", waits, v.Command("stop", "--now")))
}

// MarkStopped reports that nothing of the version runs, because it was asked to stop.
func (v *Version) MarkStopped() {
	v.Status.Address = nil
	v.markDown(ReasonStopped, "the version is stopped; start it: "+v.Command("start"))
}

// markDown gives nodes, workflows and entrypoint the same reason.
func (v *Version) markDown(reason, message string) {
	for _, n := range v.Spec.Nodes {
		v.MarkNodeNotReady(n.Name, reason, message)
	}
	for _, w := range v.Spec.Workflows {
		v.MarkWorkflowNotReady(w.Name, reason, message)
	}
	v.mark(ConditionEntrypointReady, metav1.ConditionFalse, reason, message)
}

// MarkPublished reports that active-entrypoint routes to the version.
func (v *Version) MarkPublished() {
	v.mark(ConditionPublished, metav1.ConditionTrue, ReasonPublished, "")
}

// MarkPublishing reports why the version, which should be published, is not published yet.
func (v *Version) MarkPublishing(message string) {
	v.mark(ConditionPublished, metav1.ConditionUnknown, ReasonPublishing, message)
}

// MarkNotPublished reports that the version is not published, as the Runtime asks.
func (v *Version) MarkNotPublished() {
	v.mark(ConditionPublished, metav1.ConditionFalse, ReasonNotPublished, "publish it: "+v.Command("publish"))
}

// MarkCanary reports that the version is the canary of the published one, and its share: see
// [Runtime.CanaryShare].
func (v *Version) MarkCanary(published, share string) {
	v.mark(ConditionPublished, metav1.ConditionFalse, ReasonCanary, fmt.Sprintf("it is the canary of %q and gets %s", published, share))
}

// MarkStopRefused reports that the version is not stopped because it is published.
func (v *Version) MarkStopRefused() {
	v.mark(ConditionStopRefused, metav1.ConditionTrue, ReasonPublished,
		"a published version cannot be stopped; unpublish it or publish another version first: "+v.Command("unpublish"))
}

// MarkStopNotRefused removes StopRefused.
func (v *Version) MarkStopNotRefused() {
	meta.RemoveStatusCondition(&v.Status.Conditions, ConditionStopRefused)
}

// MarkDeleteRefused reports that the version is not deleted because it is published.
func (v *Version) MarkDeleteRefused() {
	v.mark(ConditionDeleteRefused, metav1.ConditionTrue, ReasonPublished,
		"a published version is not deleted before it is unpublished or another version is published: "+v.Command("unpublish"))
}

// MarkDeleteNotRefused removes DeleteRefused.
func (v *Version) MarkDeleteNotRefused() {
	meta.RemoveStatusCondition(&v.Status.Conditions, ConditionDeleteRefused)
}

// RecordState appends the wanted state with its restart and comment to the history,
// unless its newest entry is the same. It returns whether it did.
func (v *Version) RecordState(at metav1.Time) bool {
	entry := VersionEvent{State: v.WantedState(), Restart: v.Spec.Restart, Comment: v.Spec.Comment}
	if h := v.Status.History; len(h) > 0 {
		last := h[len(h)-1]
		if last.Time = entry.Time; last == entry {
			return false
		}
	}
	entry.Time = at
	v.Status.History = appendHistory(v.Status.History, entry)
	return true
}

// FailedSince returns since when a cause that needs a person has kept the version from being ready; false
// if there is none, or while the version is stopped as asked. A start resets it.
func (v *Version) FailedSince() (time.Time, bool) {
	ready := v.Status.Condition(ConditionReady)
	if ready == nil || severity(*ready) != 2 {
		return time.Time{}, false
	}
	since := ready.LastTransitionTime.Time
	if h := v.Status.History; len(h) > 0 && h[len(h)-1].Time.After(since) {
		since = h[len(h)-1].Time.Time
	}
	return since, true
}

// mark sets a condition, for the observed generation.
func (v *Version) mark(conditionType string, status metav1.ConditionStatus, reason, message string) {
	setCondition(&v.Status.Conditions, metav1.Condition{
		Type: conditionType, Status: status, Reason: reason, Message: message, ObservedGeneration: v.Status.ObservedGeneration,
	})
}

// Command returns a command of kn krt about the version, for the hint in a condition.
func (v *Version) Command(verb string, args ...string) string {
	return strings.Join(append([]string{"kn krt", verb, v.Name, "-n", v.Namespace}, args...), " ")
}
