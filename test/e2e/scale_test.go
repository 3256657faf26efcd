package e2e_test

import (
	"fmt"
	"testing"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Nodes without load go; the first request after that is answered within its
// timeout. A node with replicas stays.
func TestVersionScalesToZero(t *testing.T) {
	n := newRuntime(t) // not beside others: nodes of all scale to zero before their versions are ready
	n.Set("config-autoscaler", "knative-serving", "stable-window", "6s")
	n.version("rests", func(v *v1alpha1.Version) {
		stays := v.Spec.Nodes[0]
		stays.Name, stays.Replicas = "stays", new(int32(1))
		v.Spec.Nodes = append(v.Spec.Nodes, stays)
		v.Spec.Workflows = append(v.Spec.Workflows, v1alpha1.Workflow{Name: "three", Entrypoint: "Three", Sequential: []string{"stays", "only"}})
	})
	v := n.called("rests")
	n.Eventually(func() error {
		if pods := n.In("get", "pods", "-l", "krt.dev/version=rests", "-o",
			`jsonpath={.items[*].metadata.labels.krt\.dev/node}`); pods != "stays" {
			return fmt.Errorf("there are pods of the nodes %q", pods)
		}
		return nil
	})
	n.answers(v, "conformance.Entrypoint/Three", "three", `{"last": "only"}`, `{"text": "rests"}`)
}
