package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// chained makes a version with a chain of three equal nodes in the workflow of the rpc Three.
func chained(delivery v1alpha1.Delivery) func(*v1alpha1.Version) {
	return func(v *v1alpha1.Version) {
		only := v.Spec.Nodes[0]
		v.Spec.Nodes, v.Spec.Workflows[0].Sequential = nil, []string{"a"}
		for _, name := range []string{"a", "b", "c"} {
			only.Name = name
			v.Spec.Nodes = append(v.Spec.Nodes, only)
		}
		v.Spec.Workflows = append(v.Spec.Workflows, v1alpha1.Workflow{Name: "three", Entrypoint: "Three", Sequential: []string{"a", "b", "c"}})
		v.Spec.Entrypoint.Delivery = delivery
	}
}

// nodesUp are the nodes of a version that have pods which are not about to end, sorted.
func (n place) nodesUp(version string) string {
	n.t.Helper()
	out := n.In("get", "pods", "-l", "krt.dev/node,krt.dev/version="+version, "-o",
		`jsonpath={range .items[*]}{.metadata.labels.krt\.dev/node}{.metadata.deletionTimestamp}{"\n"}{end}`)
	up := slices.Sorted(slices.Values(strings.Fields(out)))
	return strings.Join(slices.DeleteFunc(slices.Compact(up), func(s string) bool { return strings.ContainsAny(s, ":") }), " ")
}

// nodesSeen are those that have pods, also such as are about to end: with a short window that is soon after they were up.
func (n place) nodesSeen(version string) string {
	n.t.Helper()
	out := n.In("get", "pods", "-l", "krt.dev/node,krt.dev/version="+version, "-o", `jsonpath={.items[*].metadata.labels.krt\.dev/node}`)
	return strings.Join(slices.Compact(slices.Sorted(strings.FieldsSeq(out))), " ")
}

// asleep waits until all nodes of a version are at zero.
func (n place) asleep(version string) {
	n.t.Helper()
	n.Eventually(func() error {
		if up := n.In("get", "pods", "-l", "krt.dev/node,krt.dev/version="+version, "-o", "name"); up != "" {
			return fmt.Errorf("there are pods of nodes: %s", up)
		}
		return nil
	})
}

// The first event of a workflow wakes the nodes after the first, with each delivery; warm wakes all; and what is
// published is up before.
func TestVersionWarmsUp(t *testing.T) {
	c := newCLI(t) // not beside others: nodes of all scale to zero before their versions are ready
	c.Set("config-autoscaler", "knative-serving", "stable-window", "6s")
	for name, delivery := range map[string]v1alpha1.Delivery{"direct": v1alpha1.DeliveryDirect, "sequence": v1alpha1.DeliverySequence} {
		c.version(name, chained(delivery))
		v := c.called(name)
		c.asleep(name)
		c.answers(v, "conformance.Entrypoint/Three", "three", `{"last": "c"}`, fmt.Sprintf(`{"text": %q}`, name))
		c.wokenBy(name, "b", "c")
	}
	c.asleep("sequence")
	out := c.krt("warm", "sequence", "--for", "1m")
	require.Contains(t, out, "node 'b' is up\n")
	require.Contains(t, out, "\nAll nodes of version 'sequence' are up, and stay up until ")
	require.Equal(t, "a b c", c.nodesUp("sequence"))

	c.asleep("direct")
	c.publish("direct")
	c.published("direct")
	require.Equal(t, "a b c", c.nodesSeen("direct"), "none had a pod before")
}

// wokenBy waits until the entrypoint of a version has woken these nodes, and no others. The request that does may end after
// the event's, and a call that is sent again may wake a node again.
func (n place) wokenBy(version string, nodes ...string) {
	n.t.Helper()
	n.Eventually(func() error {
		metrics := n.get("http://" + n.Address(version+"-reply", 80) + "/metrics")
		var woken []string
		for _, found := range wakeUps.FindAllStringSubmatch(metrics, -1) {
			if found[2] != "0" {
				woken = append(woken, found[1])
			}
		}
		slices.Sort(woken)
		if woken = slices.Compact(woken); !slices.Equal(woken, nodes) {
			return fmt.Errorf("woken are %q", woken)
		}
		return nil
	})
}

var wakeUps = regexp.MustCompile(`(?m)^krt_warm_ups_total\{node="([^"]*)",result="(?:ok|overtaken)"\} (\S+)$`)

// TestColdStarts measures how long the first response of a chain of three Python nodes takes whose init takes 2 s each,
// from zero: KRT_COLD_RUNS times with each delivery, with and without warming up.
func TestColdStarts(t *testing.T) {
	runs := 0
	if _, err := fmt.Sscan(os.Getenv("KRT_COLD_RUNS"), &runs); err != nil {
		t.Skip("takes minutes: KRT_COLD_RUNS=10")
	}
	c := newCLI(t)
	c.Set("config-autoscaler", "knative-serving", "stable-window", "6s")
	types := []string{"direct-cold", "direct-warm", "seq-cold", "seq-warm"}
	for _, name := range types {
		delivery := map[bool]string{true: "Direct", false: "Sequence"}[strings.HasPrefix(name, "direct")]
		c.krt("create", coldBundle(t, name), "--base=python="+os.Getenv("KRT_PYTHON_BASE"), "--delivery="+delivery)
		c.In("patch", "version", name, "--type=merge", "--patch",
			fmt.Sprintf(`{"spec": {"entrypoint": {"warmUp": %t, "timeout": "120s"}}}`, strings.HasSuffix(name, "warm")))
		c.krt("start", name)
	}
	for run := range runs {
		for _, rpc := range []string{"One", "Three"} {
			for _, name := range types {
				c.asleep(name)
			}
			for _, name := range types {
				t.Logf("run %d: %s %s: %.2f s", run+1, name, rpc, c.first(name, rpc).Seconds())
			}
		}
	}
}

// first returns how long a call of an rpc takes, with JSON.
func (n place) first(version, rpc string) time.Duration {
	n.t.Helper()
	url := fmt.Sprintf("http://%s/slow.Entrypoint/%s", n.Address(version, 80), rpc)
	request, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, url, strings.NewReader(`{"text": "x"}`))
	require.NoError(n.t, err)
	request.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	status, text, err := do(http.DefaultClient, request)
	require.NoError(n.t, err)
	require.Equal(n.t, http.StatusOK, status, text)
	return time.Since(begin)
}

// coldBundle is a bundle of a chain of three Python nodes that take their time to begin.
func coldBundle(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"krt.yml": `krtVersion: v1
version: ` + version + `
description: A chain of nodes that take 2 s to begin.
entrypoint:
  proto: public_input.proto
nodes:
  - {name: a, image: konstellation/kre-py:1.23.1, src: src/slow/main.py}
  - {name: b, image: konstellation/kre-py:1.23.1, src: src/slow/main.py}
  - {name: c, image: konstellation/kre-py:1.23.1, src: src/slow/main.py}
workflows:
  - {name: one, entrypoint: One, sequential: [a]}
  - {name: three, entrypoint: Three, sequential: [a, b, c]}
`,
		"public_input.proto": `syntax = "proto3";
package slow;
message M { string text = 1; }
service Entrypoint {
  rpc One(M) returns (M);
  rpc Three(M) returns (M);
}
`,
		"src/slow/main.py": `import asyncio

from public_input_pb2 import M


async def init(ctx):
    await asyncio.sleep(2)


async def handler(ctx, data):
    m = M()
    data.Unpack(m)
    return m
`,
	} {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}
