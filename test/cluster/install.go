package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// install is what is done inside the running cluster until it is ready for the
// tests. All of it may be done again.
func install(ctx context.Context, p place, s *steps) error {
	k := kubectl{ctx}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"wait for the apiserver", func() error { return poll(ctx, 90*time.Second, apiserverReady) }},
		{"give the registry the base images", func() error { return installBases(ctx, p) }},
		{"set up the node", func() error { return installNode(k, p) }},
		{"install Knative's resources", func() error { return installCRDs(k, p) }},
		{"install Knative", func() error { return installKnative(k, p) }},
		{"wait for Knative's pods", func() error { return waitKnative(k) }},
	} {
		if err := s.do(step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

// kubectl runs the cluster's own.
type kubectl struct{ ctx context.Context }

func (k kubectl) run(args ...string) error { return k.feed("", args...) }

func (k kubectl) feed(input string, args ...string) error {
	c := exec.CommandContext(k.ctx, "kubectl", args...)
	c.Stdin = strings.NewReader(input)
	_, err := command(k.ctx, c)
	return err
}

// apply repeats while what it needs, a CRD or a webhook's pod, is coming up.
func (k kubectl) apply(manager, yaml string) error {
	return poll(k.ctx, 3*time.Minute, func(context.Context) error {
		return k.feed(yaml, "apply", "--server-side", "--force-conflicts", "--field-manager="+manager, "-f", "-")
	})
}

func installBases(ctx context.Context, p place) error {
	if err := poll(ctx, 30*time.Second, dial("tcp", "127.0.0.1:5000")); err != nil {
		return fmt.Errorf("registry: %w\n%s", err, logTail(p, "registry"))
	}
	set, err := baseSet(ctx, p)
	if err != nil {
		return err
	}
	return set.ensure(ctx, p, func() ([]string, error) { return makeBases(ctx, p) })
}

// installNode waits for the node and gives it a GPU, as far as the scheduler
// knows. Tests set and remove the taint that goes with it: on
// the only node it would keep out everything else.
func installNode(k kubectl, p place) error {
	if err := k.run("apply", "--server-side", "-f", p.conf("objects.yaml")); err != nil {
		return err
	}
	if err := k.run("wait", "--for=create", "node/"+nodeName, "--timeout=60s"); err != nil {
		return fmt.Errorf("%w\nkubelet:\n%s", err, logTail(p, "kubelet"))
	}
	if err := k.run("wait", "--for=condition=Ready", "node/"+nodeName, "--timeout=60s"); err != nil {
		return fmt.Errorf("%w\nkubelet:\n%s\ncontainerd:\n%s", err, logTail(p, "kubelet"), logTail(p, "containerd"))
	}
	const gpu = `{"nvidia.com/gpu": "1"}`
	return errors.Join(
		k.run("label", "--overwrite", "node", nodeName, "nvidia.com/gpu.present=true"),
		k.run("patch", "node", nodeName, "--subresource=status", "--type=merge",
			"--patch", `{"status": {"capacity": `+gpu+`, "allocatable": `+gpu+`}}`),
		// Until it exists, pods are refused.
		k.run("wait", "--for=create", "serviceaccount/default", "--timeout=30s"),
	)
}

func installCRDs(k kubectl, p place) error {
	files, err := moduleFiles(k.ctx, p, slices.Concat(knativeAccounts(), knativeCRDs(), gatewayCRDs()))
	if err != nil {
		return err
	}
	yaml, err := joinYAML(files)
	if err != nil {
		return err
	}
	if err := k.run("apply", "--server-side", "--force-conflicts", "--field-manager=krt-test", "-f", p.conf("settings.yaml")); err != nil {
		return err
	}
	// The second time through, what is of a kind defined in the same stream finds it.
	if err := k.apply("kubectl", yaml); err != nil {
		return err
	}
	return k.run("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
}

func installKnative(k kubectl, p place) error {
	set, err := knativeSet(k.ctx, p)
	if err != nil {
		return err
	}
	err = set.ensure(k.ctx, p, func() (references []string, err error) {
		set.Text, references, err = resolveKnative(k.ctx, p)
		return references, err
	})
	if err != nil {
		return err
	}
	text, err := withPatience(set.Text)
	if err != nil {
		return err
	}
	return k.apply("kubectl", text)
}

func waitKnative(k kubectl) error {
	for _, namespace := range []string{"knative-serving", "knative-eventing"} {
		err := k.run("wait", "--for=condition=Available", "deployment", "--all", "-n", namespace, "--timeout=180s")
		if err != nil {
			return fmt.Errorf("%w\n%s", err, podTrouble(k, namespace))
		}
	}
	return nil
}

// podTrouble shows the pods of a namespace and what happened to them last.
func podTrouble(k kubectl, namespace string) string {
	var all strings.Builder
	for _, args := range [][]string{
		{"get", "pods"},
		{"get", "events", "--field-selector=type=Warning", "--sort-by=.lastTimestamp"},
		{"logs", "--selector=app", "--prefix", "--tail=3"},
	} {
		out, err := command(k.ctx, exec.CommandContext(k.ctx, "kubectl", append(args, "-n", namespace)...))
		if err != nil {
			out = err.Error()
		}
		all.WriteString(lastLines([]byte(out), 25) + "\n")
	}
	return all.String()
}
