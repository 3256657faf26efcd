package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// joinNodes starts the nodes that the cluster is to have and has not.
func joinNodes(ctx context.Context, p place) error {
	wanted, err := wantedNodes()
	if err != nil {
		return err
	}
	for n := 2; n <= wanted; n++ {
		if err := nodeInside(ctx, p, []string{"start", strconv.Itoa(n)}); err != nil {
			return fmt.Errorf("the cluster is up, but has fewer nodes than wanted: %w", err)
		}
	}
	return nil
}

// nodeVerb runs `cluster node VERB NUMBER`. All of it is done inside the cluster.
func nodeVerb(ctx context.Context, p place, s *steps, args []string) error {
	verbs := map[string]struct {
		least int // the first node's end is the cluster's
		do    func(context.Context, place, *steps) error
	}{
		"start": {2, startNode}, "stop": {2, stopNode}, "remove": {2, removeNode},
		"pause":  {1, func(_ context.Context, p place, _ *steps) error { return signalProxy(p, unix.SIGSTOP) }},
		"resume": {1, func(_ context.Context, p place, _ *steps) error { return signalProxy(p, unix.SIGCONT) }},
		"exec":   {2, nil},
	}
	if len(args) < 2 {
		return errUsage
	}
	verb, ok := verbs[args[0]]
	if !ok || (len(args) > 2) != (verb.do == nil) {
		return errUsage
	}
	if verb.do == nil && args[2] == "--" {
		args = slices.Delete(args, 2, 3)
	}
	if verb.do == nil && len(args) == 2 {
		return errUsage
	}
	n, err := nodeNumber("the node", args[1], verb.least)
	if err != nil {
		return err
	}
	if !insideCluster(p) {
		return nodeInside(ctx, p, args)
	}
	node := p.node(n)
	if verb.do != nil {
		return verb.do(ctx, node, &steps{out: s.out, goal: "cannot change the cluster's nodes"})
	}
	if _, running := initPID(node); !running {
		return fmt.Errorf("%s is not running; see `cluster nodes`", node.nodeName())
	}
	return enter(ctx, node, args[2:])
}

// nodeInside has this program do the same inside the cluster.
func nodeInside(ctx context.Context, p place, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return enter(ctx, p, append([]string{self, "node"}, args...))
}

// waitForNode waits until the node's kubelet serves and the cluster has it as ready.
func waitForNode(ctx context.Context, p place, alive func() error) error {
	kubelet := dial("tcp", fmt.Sprintf("%s:%d", p.nodeIP(), kubeletPort))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := poll(ctx, 90*time.Second, func(ctx context.Context) error {
		if err := alive(); err != nil {
			cancel(err)
			return err
		}
		return kubelet(ctx)
	})
	if err != nil {
		return fmt.Errorf("%w\nkubelet:\n%s\ncontainerd:\n%s", err, logTail(p, "kubelet"), logTail(p, "containerd"))
	}
	k, node := kubectl{ctx}, "node/"+p.nodeName()
	for _, condition := range []string{"create", "condition=Ready"} {
		if err := k.run("wait", "--for="+condition, node, "--timeout=60s"); err != nil {
			return fmt.Errorf("%w\nkubelet:\n%s\ncontainerd:\n%s", err, logTail(p, "kubelet"), logTail(p, "containerd"))
		}
	}
	return nil
}

// printNodes lists the nodes of this machine, and what the cluster knows of each.
func printNodes(ctx context.Context, p place, out io.Writer) error {
	if !insideCluster(p) {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		return enter(ctx, p, []string{self, "nodes"})
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tPROCESSES\tREADY\tADDRESS\tPODS")
	for n := 1; n <= maxNodes; n++ {
		node := p.node(n)
		if _, err := os.Stat(node.State); err != nil {
			continue
		}
		ready, err := command(ctx, exec.CommandContext(ctx, "kubectl", "get", "node", node.nodeName(), "--ignore-not-found",
			"-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", node.nodeName(), nodeState(node), ready, node.nodeIP(), node.podCIDR())
	}
	return w.Flush()
}
