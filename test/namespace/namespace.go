// Package namespace gives a test a namespace of its own on a real cluster with
// Knative: the one that `make cluster` starts, or any that KUBECONFIG and
// KO_DOCKER_REPO name. It works as a user does, by kubectl, ko and kn.
package namespace

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience is how long anything may take on a cluster that is busy.
const Patience = 3 * time.Minute

// Namespace is one test's own place on the cluster.
type Namespace struct {
	Name string

	t   *testing.T
	ctx context.Context
	// settled names the ConfigMaps whose settings are this test's alone.
	settled map[string]bool
}

// New makes a namespace that goes with the test. Without a cluster the test is
// skipped.
func New(t *testing.T) *Namespace {
	t.Helper()
	if os.Getenv("KRT_E2E") == "" {
		t.Skip("needs a cluster with Knative: make e2e")
	}
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	n := &Namespace{t: t, ctx: t.Context(), Name: fmt.Sprintf("%.40s-%d", name, os.Getpid()), settled: map[string]bool{}}
	require.NoError(t, restore())
	note, err := Undo("delete", "namespace", n.Name, "--wait=false")
	require.NoError(t, err)
	n.Run(fmt.Sprintf(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": %q, "annotations": {%q: %q}}}`,
		n.Name, UndoNote, note), "kubectl", "create", "-f", "-")
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if t.Failed() {
			t.Log(tell(ctx, n.Name))
			if folder := keep(ctx, t.Name(), n.Name); folder != "" {
				t.Logf("more is in %s", folder)
			}
		}
		out, err := exec.CommandContext(ctx, "kubectl", "delete", "namespace", n.Name, "--wait=false").CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	n.Kubectl("wait", "--for=create", "serviceaccount/default", "--timeout", Patience.String())
	return n
}

// tell prints the state of the namespace when a test failed.
func tell(ctx context.Context, name string) string {
	var all strings.Builder
	for _, args := range []string{
		"get ksvc,sequence,subscription,pods", "get events --sort-by=.lastTimestamp",
		"get versions.krt.dev,runtimes.krt.dev -o yaml --ignore-not-found",
		"logs --selector=type=entrypoint --prefix --tail=40",
	} {
		out, err := exec.CommandContext(ctx, "kubectl", append(strings.Fields(args), "-n", name)...).CombinedOutput()
		fmt.Fprintf(&all, "kubectl %s: %v\n%s\n", args, err, out)
	}
	return all.String()
}

// Run runs a program and returns what it prints.
func (n *Namespace) Run(input, name string, args ...string) string {
	n.t.Helper()
	out, err := n.Try(input, name, args...)
	require.NoError(n.t, err)
	return out
}

// Try is Run for what may fail; the error has all that the program printed.
func (n *Namespace) Try(input, name string, args ...string) (string, error) {
	return try(n.ctx, input, name, args...)
}

// webhookFailed is in what the apiserver says where a webhook of Knative's has not responded within its
// 10 s, as on a busy machine. kubectl and kn have not done then what was asked for, and are asked again.
const webhookFailed = "failed calling webhook"

func try(ctx context.Context, input, name string, args ...string) (string, error) {
	for deadline := time.Now().Add(Patience); ; {
		var out, errs bytes.Buffer
		c := exec.CommandContext(ctx, name, args...)
		c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &out, &errs
		err := c.Run()
		if err == nil {
			return strings.TrimSpace(out.String()), nil
		}
		again := (name == "kubectl" || name == "kn") && strings.Contains(errs.String(), webhookFailed)
		if !again || time.Now().After(deadline) || ctx.Err() != nil {
			return out.String(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, &out, &errs)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// Kubectl runs kubectl and returns what it prints.
func (n *Namespace) Kubectl(args ...string) string {
	n.t.Helper()
	return n.Run("", "kubectl", args...)
}

// In is Kubectl in the test's namespace.
func (n *Namespace) In(args ...string) string {
	n.t.Helper()
	return n.Kubectl(append([]string{"--namespace", n.Name}, args...)...)
}

// Get is one value of a resource of the namespace, by a path of kubectl's.
func (n *Namespace) Get(resource, path string) string {
	n.t.Helper()
	return n.In("get", resource, "-o", "jsonpath="+path)
}

// Apply applies YAML in the namespace.
func (n *Namespace) Apply(yaml string) {
	n.t.Helper()
	n.Run(yaml, "kubectl", "apply", "--namespace", n.Name, "-f", "-")
}

// Ready waits for a resource's condition Ready and returns its address: the
// public URL of a Knative Service, the inner one of anything else.
func (n *Namespace) Ready(resource string) string {
	n.t.Helper()
	n.In("wait", "--for=condition=Ready", resource, "--timeout", Patience.String())
	if strings.HasPrefix(resource, "ksvc/") {
		return n.Get(resource, "{.status.url}")
	}
	return n.Get(resource, "{.status.address.url}")
}

// Eventually calls until there is no error.
func (n *Namespace) Eventually(f func() error) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.ctx, Patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			require.NoError(n.t, err, "not within %s", Patience)
		case <-tick.C:
		}
	}
}
