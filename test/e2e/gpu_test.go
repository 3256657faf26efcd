package e2e_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const gpuTaint = "nvidia.com/gpu=present:NoSchedule"

// A service that asks for a GPU is placed on a tainted node that has one, and
// a second that asks for the same waits.
func TestGPUIsScheduled(t *testing.T) {
	n := newNamespace(t)
	node := n.kubectl("get", "node", "-l", "nvidia.com/gpu.present=true", "-o", "jsonpath={.items[*].metadata.name}")
	if node == "" {
		t.Skip("no node has the label nvidia.com/gpu.present=true")
	}
	for _, feature := range []string{"kubernetes.podspec-nodeselector", "kubernetes.podspec-tolerations"} {
		n.set("config-features", "knative-serving", feature, "enabled")
	}
	n.kubectl("taint", "node", node, gpuTaint, "--overwrite")
	t.Cleanup(func() {
		out, err := exec.CommandContext(context.Background(), "kubectl", "taint", "node", node, gpuTaint+"-").CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	pod := `        resources: {limits: {nvidia.com/gpu: "1"}}
      nodeSelector: {nvidia.com/gpu.present: "true"}
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]`
	// The webhook learns of the setting a moment after it is set.
	n.eventually(func() error {
		c := exec.CommandContext(t.Context(), "kubectl", "apply", "--dry-run=server", "-n", n.name, "-f", "-")
		c.Stdin = strings.NewReader(n.serviceYAML("gpu", stays, pod))
		out, err := c.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	n.service("gpu", stays, pod)
	n.ready("ksvc/gpu")
	n.service("second", stays, pod)
	n.eventually(func() error {
		reason := n.in("get", "pods", "-l", "serving.knative.dev/service=second", "-o",
			"jsonpath={.items[*].status.conditions[?(@.type=='PodScheduled')].message}")
		if !strings.Contains(reason, "Insufficient nvidia.com/gpu") {
			return fmt.Errorf("second waits for another reason: %q", reason)
		}
		return nil
	})
}
