package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

const gpuTaint = "nvidia.com/gpu=present:NoSchedule"

// A service that asks for a GPU is placed on a tainted node that has one, and
// a second that asks for the same waits.
func TestGPUIsScheduled(t *testing.T) {
	n := newPlace(t)
	node := n.Kubectl("get", "node", "-l", "nvidia.com/gpu.present=true", "-o", "jsonpath={.items[*].metadata.name}")
	if node == "" {
		t.Skip("no node has the label nvidia.com/gpu.present=true")
	}
	for _, feature := range []string{"kubernetes.podspec-nodeselector", "kubernetes.podspec-tolerations"} {
		n.Set("config-features", "knative-serving", feature, "enabled")
	}
	n.Kubectl("taint", "node", node, gpuTaint, "--overwrite")
	n.Afterwards("kubectl", "taint", "node", node, gpuTaint+"-")
	pod := `        resources: {limits: {nvidia.com/gpu: "1"}}
      nodeSelector: {nvidia.com/gpu.present: "true"}
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]`
	// The webhook learns of the setting a moment after it is set.
	n.Eventually(func() error {
		_, err := n.Try(n.serviceYAML("gpu", stays, pod), "kubectl", "apply", "--dry-run=server", "-n", n.Name, "-f", "-")
		return err
	})
	n.service("gpu", stays, pod)
	n.Ready("ksvc/gpu")
	n.service("second", stays, pod)
	n.Eventually(func() error {
		reason := n.In("get", "pods", "-l", "serving.knative.dev/service=second", "-o",
			"jsonpath={.items[*].status.conditions[?(@.type=='PodScheduled')].message}")
		if !strings.Contains(reason, "Insufficient nvidia.com/gpu") {
			return fmt.Errorf("second waits for another reason: %q", reason)
		}
		return nil
	})
}
