package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// No two nodes may have a folder, an address or a control group in common.
func TestNodesShareNothing(t *testing.T) {
	first := place{State: "/run/x", Main: "/run/x", Data: "/cache/data", Node: 1}
	seen := map[string]int{}
	for n := 1; n <= maxNodes; n++ {
		p := first.node(n)
		require.Equal(t, n, p.Node)
		for _, own := range []string{
			p.State, p.Data, p.nodeName(), p.nodeIP(), p.podCIDR(), p.cgroupRoot(), p.override(), p.pki("kubelet.key"), p.log("kubelet"),
		} {
			require.NotContains(t, seen, own, "of node %d", n)
			seen[own] = n
		}
		require.Equal(t, "/run/x/bin/kube", p.bin("kube"))
		require.Equal(t, "/run/x/pki/admin.kubeconfig", p.kubeconfig())
	}
	require.Equal(t, nodeName, first.nodeName())
	require.Equal(t, nodeIP, first.nodeIP())
}

func TestTheNumberOfNodesIsBounded(t *testing.T) {
	for text, want := range map[string]int{"": 1, "1": 1, "3": 3, "9": 9} {
		t.Setenv("KRT_NODES", text)
		n, err := wantedNodes()
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	for _, text := range []string{"0", "10", "-1", "three"} {
		t.Setenv("KRT_NODES", text)
		_, err := wantedNodes()
		require.EqualError(t, err, `KRT_NODES is "`+text+`": give a number from 1 to 9`)
	}
}
