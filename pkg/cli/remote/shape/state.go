// Package shape shows what a version is made of and how each of it does: states with a sign, and
// the graph of its workflows.
package shape

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

// State is how a node or workflow does.
type State struct {
	Sign            string // a mark of package term
	Reason, Message string
	Revision, Image string
}

// Text is the reason, with the message where something is wrong or all is asked for.
func (s State) Text(all bool) string {
	if s.Sign == term.MarkGood && !all {
		return ""
	}
	if s.Message != "" && (all || s.Sign == term.MarkBad) {
		return strings.TrimSpace(s.Reason + " (" + s.Message + ")")
	}
	return s.Reason
}

// NodeState is the state of the named node; unknown before the controller has set it.
func NodeState(v *v1alpha1.Version, name string) State {
	for _, n := range v.Status.Nodes {
		if n.Name == name {
			return State{partMark(n.Ready, n.Reason), n.Reason, n.Message, n.Revision, n.Image}
		}
	}
	return State{Sign: term.MarkUnknown}
}

// WorkflowState is the state of the named workflow.
func WorkflowState(v *v1alpha1.Version, name string) State {
	for _, w := range v.Status.Workflows {
		if w.Name == name {
			return State{Sign: partMark(w.Ready, w.Reason), Reason: w.Reason, Message: w.Message}
		}
	}
	return State{Sign: term.MarkUnknown}
}

// partMark is the mark of a node or workflow.
func partMark(ready bool, reason string) string {
	switch {
	case ready:
		return term.MarkGood
	case reason == "", v1alpha1.IsProgress(reason):
		return term.MarkUnknown
	case v1alpha1.IsExpected(reason):
		return term.MarkInfo
	default:
		return term.MarkBad
	}
}

// EntrypointState is the state of the version's entrypoint.
func EntrypointState(v *v1alpha1.Version) State {
	c := v.Status.Condition(v1alpha1.ConditionEntrypointReady)
	if c == nil {
		return State{Sign: term.MarkUnknown}
	}
	return State{Sign: Mark(*c), Reason: c.Reason, Message: c.Message}
}

// Mark is the sign of a condition.
func Mark(c metav1.Condition) string {
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
