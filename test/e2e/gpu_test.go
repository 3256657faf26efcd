package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/namespace"
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
	untaint := []string{"taint", "node", node, gpuTaint + "-"}
	note, err := namespace.Undo(untaint...)
	require.NoError(t, err)
	n.Kubectl("annotate", "node", node, namespace.UndoNote+"="+note, "--overwrite")
	n.Afterwards("kubectl", "annotate", "node", node, namespace.UndoNote+"-")
	n.Kubectl("taint", "node", node, gpuTaint, "--overwrite")
	n.Afterwards("kubectl", untaint...)
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
	n.condition(names[1], "NodesReady", v1alpha1.ReasonWaitingForNode, `"only"`, "a machine with nvidia.com/gpu")
	n.stopped(names[0])
	n.Ready("version/" + names[1])
}

const poolResource = "amd.com/gpu"

// pool is a pool of machines at zero, as far as the scheduler sees: no machine has the resource until it comes.
func (n place) pool() (comes func()) {
	n.t.Helper()
	n.Set("config-features", "knative-serving", "kubernetes.podspec-tolerations", "enabled")
	machine := n.Kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
	patch := func(operation string) []string {
		var operations []string
		for _, list := range []string{"capacity", "allocatable"} {
			path := "/status/" + list + "/" + strings.ReplaceAll(poolResource, "/", "~1")
			operations = append(operations, fmt.Sprintf(`{"op": %q, "path": %q, "value": "1"}`, operation, path))
		}
		return []string{"patch", "node", machine, "--subresource=status", "--type=json", "-p", "[" + strings.Join(operations, ",") + "]"}
	}
	_, _ = n.Try("", "kubectl", patch("remove")...) // a test that was killed may have left it
	return func() {
		n.Kubectl(patch("add")...)
		n.Afterwards("kubectl", patch("remove")...)
	}
}

// pooled is a version whose node needs a machine of the pool.
func pooled(change func(*v1alpha1.Node)) func(*v1alpha1.Version) {
	return func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Delivery, v.Spec.Entrypoint.Timeout = v1alpha1.DeliveryDirect, &metav1.Duration{Duration: 3 * time.Second}
		v.Spec.Nodes[0].GPU, v.Spec.Nodes[0].GPURequest = true, &v1alpha1.GPURequest{Resource: poolResource}
		if change != nil {
			change(&v.Spec.Nodes[0])
		}
	}
}

// A version whose node needs a machine that is yet to come says so, tells its callers, and starts by itself.
func TestAVersionWaitsForAMachine(t *testing.T) {
	n := newRuntime(t)
	comes := n.pool()
	n.version("pool", pooled(nil))
	n.condition("pool", "NodesReady", v1alpha1.ReasonWaitingForNode, `node "only": waiting for a machine with amd.com/gpu, since`,
		"no autoscaler has reported that it adds one", "pod-is-always-schedulable")
	require.Equal(t, "Starting", n.Get("version/pool", "{.status.phase}"))
	require.Equal(t, "Unknown", n.Get("version/pool", ready))
	n.Eventually(func() error {
		_, err := n.Try("", "kubectl", "rollout", "status", "deployment/pool-entrypoint", "-n", n.Name)
		return err
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	method, err := n.at("pool").Method(ctx, "conformance.Entrypoint/One")
	require.NoError(t, err)
	n.Eventually(func() error { // a kubelet takes a while to write what the entrypoint is told
		_, err := method.Call(ctx, "{}")
		if err == nil || !strings.Contains(err.Error(), `Unavailable`) ||
			!strings.Contains(err.Error(), `node "only": waiting for a machine with amd.com/gpu, since `) {
			return fmt.Errorf("the call has another end: %w", err)
		}
		t.Log(err)
		return nil
	})
	comes()
	n.answers(n.called("pool"), "conformance.Entrypoint/One", "one", `{}`, `{"text": "pool"}`)
}

// Knative gives up a Revision whose pod had no machine for too long, and does not come back to it. A new one is made
// once there is a machine.
func TestAVersionStartsAlthoughItsMachineComesTooLate(t *testing.T) {
	long(t)
	n := newRuntime(t)
	comes := n.pool()
	n.version("late", pooled(func(node *v1alpha1.Node) {
		node.Scale = &v1alpha1.Scale{StartTimeout: &metav1.Duration{Duration: 5 * time.Second}}
	}))
	n.condition("late", "NodesReady", v1alpha1.ReasonUnschedulable, `"only"`, "Knative has given up its Revision")
	comes()
	n.answers(n.called("late"), "conformance.Entrypoint/One", "one", `{}`, `{"text": "late"}`)
	require.NotEmpty(t, n.In("get", "ksvc", "late-only", "-o", `jsonpath={.spec.template.metadata.annotations.krt\.dev/retry}`))
	require.Equal(t, "late-only-00002", n.Get("version/late", "{.status.nodes[0].revision}"))
}
