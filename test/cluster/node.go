package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// A node after the first is a process tree of its own below the cluster's, with namespaces and control
// groups of its own: its kubelet, containerd and kube-proxy share nothing with those of another but the
// machine. So one is lost as a machine is lost, by one kill, and the first goes on.

const (
	maxNodes     = 9
	cgroupPrefix = "krt-node"
	registryPort = 5000
	kubeletPort  = 10250
)

func (p place) nodeName() string { return "node" + strconv.Itoa(p.Node) }
func (p place) nodeIP() string   { return "10.250.0." + strconv.Itoa(p.Node) }
func (p place) podCIDR() string  { return fmt.Sprintf("10.244.%d.0/24", p.Node-1) }

// cgroupRoot is below which a node has the control groups of its pods.
func (p place) cgroupRoot() string {
	if p.Node == 1 {
		return "/"
	}
	return "/" + cgroupPrefix + strconv.Itoa(p.Node)
}

// node is the place of a node of the cluster.
func (p place) node(n int) place {
	if n == 1 {
		return p
	}
	p.State, p.Data, p.Node = p.nodeDir(n), filepath.Join(p.Data, "nodes", "node"+strconv.Itoa(n)), n
	return p
}

func (p place) nodeDir(n int) string { return filepath.Join(p.Main, "nodes", "node"+strconv.Itoa(n)) }

// wantedNodes is how many nodes the cluster is to have: KRT_NODES.
func wantedNodes() (int, error) {
	text := os.Getenv("KRT_NODES")
	if text == "" {
		return 1, nil
	}
	return nodeNumber("KRT_NODES", text, 1)
}

func nodeNumber(what, text string, least int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > maxNodes {
		return 0, fmt.Errorf("%s is %q: give a number from %d to %d", what, text, least, maxNodes)
	}
	return n, nil
}
