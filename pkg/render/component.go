package render

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Component is what of a version an object belongs to: a node or a workflow, by its name.
// The zero Component is the entrypoint.
type Component struct{ Node, Workflow string }

// IsEntrypoint reports whether the component is the entrypoint.
func (c Component) IsEntrypoint() bool { return c == Component{} }

// ComponentOf returns the component of an object that [Objects] has returned, or of a
// Revision or pod that runs it, by its labels. A shortcut belongs to the entrypoint,
// which alone uses it.
func ComponentOf(object metav1.Object) Component {
	labels := object.GetLabels()
	if labels[LabelVersionName] != "" {
		return Component{}
	}
	return Component{Node: labels[LabelNode], Workflow: labels[LabelWorkflow]}
}
