package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const gpuTaint = "nvidia.com/gpu=present:NoSchedule"

// A node on a GPU is placed on the tainted node that has one; the next waits, and
// says what for. Without Knative's flags the version says which to set.
func TestGPUIsScheduled(t *testing.T) {
	n := newRuntime(t)
	node := n.Kubectl("get", "node", "-l", "nvidia.com/gpu.present=true", "-o", "jsonpath={.items[*].metadata.name}")
	if node == "" {
		t.Skip("no node has the label nvidia.com/gpu.present=true")
	}
	gpu := func(v *v1alpha1.Version) { v.Spec.Nodes[0].GPU, v.Spec.Nodes[0].Replicas = true, new(int32(1)) }
	features := []string{"kubernetes.podspec-nodeselector", "kubernetes.podspec-tolerations"}
	for _, feature := range features {
		n.Set("config-features", "knative-serving", feature, "disabled")
	}
	n.version("first", gpu)
	n.condition("first", "NodesReady", v1alpha1.ReasonFeatureDisabled, append(features, "kubectl patch")...)

	for _, feature := range features {
		n.Set("config-features", "knative-serving", feature, "enabled")
	}
	n.Kubectl("taint", "node", node, gpuTaint, "--overwrite")
	n.Afterwards("kubectl", "taint", "node", node, gpuTaint+"-")
	n.Ready("version/first")
	pods := n.In("get", "pods", "-l", "krt.dev/node=only", "-o", "jsonpath={.items[*].spec}")
	require.Contains(t, pods, `"nvidia.com/gpu":"1"`)

	n.version("second", gpu)
	n.condition("second", "NodesReady", v1alpha1.ReasonUnschedulable, `"only"`, "nvidia.com/gpu")
	n.stopped("first")
	n.Ready("version/second")
}
