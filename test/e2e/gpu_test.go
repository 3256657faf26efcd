package e2e_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const gpuTaint = "nvidia.com/gpu=present:NoSchedule"

// ready is the path of what condition Ready is.
const ready = "{.status.conditions[?(@.type=='Ready')].status}"

// A node on a GPU is placed on the tainted node that has one; another waits, and
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
	names := []string{"first", "second"}
	for _, name := range names {
		n.version(name, gpu)
	}
	for _, name := range names {
		n.condition(name, "NodesReady", v1alpha1.ReasonFeatureDisabled, append(features, "kubectl patch")...)
		// Entrypoints want no GPU, and the tainted node may be the only one there is.
		n.Eventually(func() error {
			_, err := n.Try("", "kubectl", "rollout", "status", "deployment/"+name+"-entrypoint", "-n", n.Name)
			return err
		})
	}

	for _, feature := range features {
		n.Set("config-features", "knative-serving", feature, "enabled")
	}
	n.Kubectl("taint", "node", node, gpuTaint, "--overwrite")
	n.Afterwards("kubectl", "taint", "node", node, gpuTaint+"-")
	n.Eventually(func() error {
		if n.Get("version/"+names[1], ready) == "True" {
			slices.Reverse(names) // the faster one has it
		}
		if got := n.Get("version/"+names[0], ready); got != "True" {
			return fmt.Errorf("none is ready: %s", got)
		}
		return nil
	})
	pods := n.In("get", "pods", "-l", "krt.dev/version="+names[0], "-o", "jsonpath={.items[*].spec}")
	require.Contains(t, pods, `"nvidia.com/gpu":"1"`)
	n.condition(names[1], "NodesReady", v1alpha1.ReasonUnschedulable, `"only"`, "nvidia.com/gpu")
	n.stopped(names[0])
	n.Ready("version/" + names[1])
}
