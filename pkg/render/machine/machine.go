// Package machine says which machines a node's pods need, and for how long they wait for one.
package machine

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const (
	// gpuStart is how long a pod with a GPU may take to become ready: a machine from a pool at zero
	// takes minutes, and so does a model.
	gpuStart = 20 * time.Minute
	// gpuKeep is how long the last pod with a GPU stays after its last request: it is cheaper than
	// what its next start costs.
	gpuKeep = 10 * time.Minute
)

// Patient reports whether a node's pods wait for a machine: it has a GPU, or a start timeout of its own.
func Patient(n v1alpha1.Node) bool { return StartTimeout(n) > 0 }

// StartTimeout is how long a pod of a node may take to become ready, with the time until there is
// a machine for it; 0 for the cluster's own limits.
func StartTimeout(n v1alpha1.Node) time.Duration {
	switch {
	case n.Scale != nil && n.Scale.StartTimeout != nil:
		return n.Scale.StartTimeout.Duration
	case n.GPU:
		return gpuStart
	}
	return 0
}

// LongestStart is the longest [StartTimeout] of a version's nodes.
func LongestStart(v *v1alpha1.Version) (longest time.Duration) {
	for _, n := range v.Spec.Nodes {
		longest = max(longest, StartTimeout(n))
	}
	return longest
}

// Keep is how long the last pod of a node stays after its last request; 0 for the cluster's own setting.
func Keep(n v1alpha1.Node) time.Duration {
	switch {
	case n.Scale != nil && n.Scale.Keep != nil:
		return n.Scale.Keep.Duration
	case n.GPU:
		return gpuKeep
	}
	return 0
}

// GPU returns the resource of which a node with a GPU gets a number for itself; it is empty for other
// nodes. usual is the cluster's usual one.
func GPU(n v1alpha1.Node, usual corev1.ResourceName) (name corev1.ResourceName, count int64) {
	if !n.GPU {
		return "", 0
	}
	name, count = usual, 1
	if r := n.GPURequest; r != nil {
		if r.Resource != "" {
			name = corev1.ResourceName(r.Resource)
		}
		if r.Count != nil {
			count = int64(*r.Count)
		}
	}
	return name, count
}

// Selector are labels of the machines on which a node with a GPU runs: those that the machines with the usual
// resource have, if the node's is of the same vendor. What another vendor's machines are, its resource says.
func Selector(n v1alpha1.Node, usual corev1.ResourceName, labels map[string]string) map[string]string {
	if name, _ := GPU(n, usual); name == "" || vendor(name) != vendor(usual) {
		return nil
	}
	return labels
}

func vendor(name corev1.ResourceName) string {
	domain, _, _ := strings.Cut(string(name), "/")
	return domain
}
