package logs

import (
	"fmt"
	"slices"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// UnknownNameError is returned for a node or workflow that a version does not have.
type UnknownNameError struct {
	Version string
	// Kind is "node" or "workflow".
	Kind string
	Name string
	// Known are the names that the version has.
	Known []string
}

// Error names what is unknown, and the name that was probably meant.
func (e *UnknownNameError) Error() string {
	return fmt.Sprintf("version %q has no %s %q%s", e.Version, e.Kind, e.Name, spelling.Hint(e.Name, e.Known))
}

// CheckNames returns an [*UnknownNameError] for the first of the nodes that the version does
// not have, or for a workflow, if it is not "", that it does not have. [Entrypoint] counts
// as a node.
func CheckNames(v *v1alpha1.Version, nodes []string, workflow string) error {
	known := []string{}
	for i := range v.Spec.Nodes {
		known = append(known, v.Spec.Nodes[i].Name)
	}
	known = append(known, Entrypoint)
	for _, name := range nodes {
		if !slices.Contains(known, name) {
			return &UnknownNameError{Version: v.Name, Kind: "node", Name: name, Known: known}
		}
	}
	workflows := []string{}
	for i := range v.Spec.Workflows {
		workflows = append(workflows, v.Spec.Workflows[i].Name)
	}
	if workflow != "" && !slices.Contains(workflows, workflow) {
		return &UnknownNameError{Version: v.Name, Kind: "workflow", Name: workflow, Known: workflows}
	}
	return nil
}
