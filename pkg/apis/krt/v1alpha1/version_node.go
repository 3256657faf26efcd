package v1alpha1

import (
	"fmt"
	"strings"
)

// MarkNodeReady says that a node can answer, by which revision and image.
func (v *Version) MarkNodeReady(name, revision, image string) {
	if n := v.Status.node(name); n != nil {
		*n = NodeStatus{Name: name, Ready: true, Revision: revision, Image: image}
	}
}

// MarkNodeDeploying says what a node waits for. Revision and image stay as known.
func (v *Version) MarkNodeDeploying(name, message string) {
	v.MarkNodeNotReady(name, ReasonDeploying, message)
}

// MarkNodeNotReady says why a node cannot answer, and what to do next. A reason
// other than ReasonDeploying is a cause that needs a person. Names that the version
// does not have are ignored.
func (v *Version) MarkNodeNotReady(name, reason, message string) {
	if n := v.Status.node(name); n != nil {
		n.Ready, n.Reason, n.Message = false, reason, trim(message)
	}
}

// MarkNodeFeatureDisabled says which of Knative's flags, keys of config-features,
// must be on for a node. One flag at least must be given.
func (v *Version) MarkNodeFeatureDisabled(name string, flags ...string) {
	on := make([]string, len(flags))
	for i, flag := range flags {
		on[i] = fmt.Sprintf("%q:%q", flag, "enabled")
	}
	v.MarkNodeNotReady(name, ReasonFeatureDisabled, fmt.Sprintf(
		"Knative does not allow what the node needs; allow it: kubectl patch configmap config-features -n knative-serving --type merge -p '{\"data\":{%s}}'",
		strings.Join(on, ",")))
}

// MarkServingMissing says that no node can run for want of Knative Serving.
func (v *Version) MarkServingMissing() {
	for _, n := range v.Spec.Nodes {
		v.MarkNodeNotReady(n.Name, ReasonServingMissing,
			"Knative Serving is not installed; what is missing is told by: kn krt doctor")
	}
}

// MarkEventingMissing says that no workflow can run for want of Knative Eventing.
func (v *Version) MarkEventingMissing() {
	for _, w := range v.Spec.Workflows {
		v.MarkWorkflowNotReady(w.Name, ReasonEventingMissing,
			"Knative Eventing is not installed; install it (kn krt doctor tells what is missing), or use entrypoint.delivery: Direct")
	}
}

// MarkWorkflowReady says that a workflow's Sequence takes events, and where; the
// address is empty with direct delivery.
func (v *Version) MarkWorkflowReady(name, address string) {
	if w := v.Status.workflow(name); w != nil {
		*w = WorkflowStatus{Name: name, Ready: true, Address: address}
	}
}

// MarkWorkflowDeploying says what a workflow waits for. Its address stays as known.
func (v *Version) MarkWorkflowDeploying(name, message string) {
	v.MarkWorkflowNotReady(name, ReasonDeploying, message)
}

// MarkWorkflowNotReady says why a workflow cannot run, and what to do next. A reason
// other than ReasonDeploying is a cause that needs a person. Names that the version
// does not have are ignored.
func (v *Version) MarkWorkflowNotReady(name, reason, message string) {
	if w := v.Status.workflow(name); w != nil {
		w.Ready, w.Reason, w.Message = false, reason, trim(message)
	}
}

func (s *VersionStatus) node(name string) *NodeStatus {
	for i := range s.Nodes {
		if s.Nodes[i].Name == name {
			return &s.Nodes[i]
		}
	}
	return nil
}

func (s *VersionStatus) workflow(name string) *WorkflowStatus {
	for i := range s.Workflows {
		if s.Workflows[i].Name == name {
			return &s.Workflows[i]
		}
	}
	return nil
}
