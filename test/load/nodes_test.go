package load_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/namespace"
)

// Nodes of the cluster of `make cluster`. Its first has the control plane, Knative and the load
// itself, so the two that join it for these tests are what they may lose.
const (
	clusterProgram = "../../bin/cluster"
	second, third  = "2", "3"
)

// newNodes is newPlace on a cluster of three nodes. What was not running before is removed again, after the namespace.
func newNodes(t *testing.T) place {
	t.Helper()
	if os.Getenv("KRT_E2E_LONG") == "" {
		return newPlace(t) // skips
	}
	listed, err := exec.CommandContext(t.Context(), clusterProgram, "nodes").CombinedOutput()
	if err != nil {
		t.Skipf("this is not the cluster of `make cluster`, to which nodes can be added: %v\n%s", err, listed)
	}
	for _, n := range []string{second, third} {
		if !strings.Contains(string(listed), "node"+n+" ") {
			t.Cleanup(func() { runCluster(context.Background(), t, "remove", n) })
		}
		runCluster(t.Context(), t, "start", n)
	}
	p := newPlace(t)
	for _, n := range []string{second, third} {
		p.Kubectl("uncordon", "node"+n) // a test that was killed may have left it cordoned
	}
	return p
}

func runCluster(ctx context.Context, t *testing.T, verb, node string) {
	t.Helper()
	require.NoError(t, tryCluster(ctx, verb, node))
}

func tryCluster(ctx context.Context, verb, node string) error {
	out, err := exec.CommandContext(ctx, clusterProgram, "node", verb, node).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cluster node %s %s: %w\n%s", verb, node, err, out)
	}
	return nil
}

// replicated is a version of which no single node of the cluster has all.
func (p place) replicated(name string, delivery v1alpha1.Delivery) {
	p.t.Helper()
	p.version(name, func(v *v1alpha1.Version) { replicate(v, delivery) })
}

func replicate(v *v1alpha1.Version, delivery v1alpha1.Delivery) {
	v.Spec.Entrypoint.Delivery, v.Spec.Entrypoint.Replicas = delivery, new(int32(3))
	v.Spec.Nodes[0].Scale = &v1alpha1.Scale{Min: new(int32(3)), Max: new(int32(3))}
}

// each runs a test with each of the deliveries.
func eachDelivery(t *testing.T, test func(*testing.T, v1alpha1.Delivery)) {
	t.Helper()
	for _, delivery := range []v1alpha1.Delivery{v1alpha1.DeliverySequence, v1alpha1.DeliveryDirect} {
		t.Run(string(delivery), func(t *testing.T) { test(t, delivery) })
	}
}

// A drain loses nothing: replicas are spread, evicted one at a time, and end what they have begun.
func TestNodesDrained(t *testing.T) {
	eachDelivery(t, func(t *testing.T, delivery v1alpha1.Delivery) {
		p := newNodes(t)
		p.Install()
		p.replicated("steady", delivery)
		p.Ready("version/steady")
		p.requireSpread("steady")
		p.suffer("steady", []fault{
			{name: "node 2 drained", inflict: drain(second), harmless: true},
			{name: "node 3 drained", inflict: drain(third), harmless: true},
		})
	})
}

// requireSpread requires that no node of the cluster has all replicas of the entrypoint.
func (p place) requireSpread(version string) {
	p.t.Helper()
	p.Eventually(func() error {
		pods, err := p.pods(p.t.Context(), p.Name, map[string]string{"version-name": version + "-entrypoint"})
		if err != nil {
			return err
		}
		on := map[string]int{}
		for i := range pods {
			if podReady(&pods[i]) {
				on[pods[i].Spec.NodeName]++
			}
		}
		if len(on) != 3 {
			return fmt.Errorf("the entrypoint's pods are on %v", on)
		}
		return nil
	})
}

// drain evicts a version's pods from a node and waits until they have ended, as an administrator does.
func drain(node string) func(context.Context, place) error {
	return func(ctx context.Context, p place) error {
		defer func() { _, _ = p.Try("", "kubectl", "uncordon", "node"+node) }()
		_, err := p.Try("", "kubectl", "drain", "node"+node, "--pod-selector=krt.dev/version=steady", "--ignore-daemonsets",
			"--delete-emptydir-data", "--timeout="+namespace.Patience.String())
		return errors.Join(err, p.whole(ctx))
	}
}

// A kube-proxy that lags sends to the pods that were there before. Those of an entrypoint that is replaced finish
// what they have and then refuse, so that a client's next try goes elsewhere.
func TestNodesLag(t *testing.T) {
	eachDelivery(t, func(t *testing.T, delivery v1alpha1.Delivery) {
		p := newNodes(t)
		p.Install()
		p.replicated("steady", delivery)
		p.suffer("steady", []fault{
			{name: "kube-proxy of node 2 paused while all pods are replaced one by one", inflict: lag(second), harmless: true},
		})
	})
}

func lag(node string) func(context.Context, place) error {
	return func(ctx context.Context, p place) (err error) {
		if err := tryCluster(ctx, "pause", node); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, tryCluster(context.WithoutCancel(ctx), "resume", node)) }()
		return errors.Join(deleteEntrypoints(ctx, p), p.replace(ctx, map[string]string{"krt.dev/version": "steady", "krt.dev/node": "n1"}))
	}
}
