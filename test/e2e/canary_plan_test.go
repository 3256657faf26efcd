package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// long skips what takes minutes.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("KRT_E2E_LONG") == "" {
		t.Skip("takes minutes: make e2e-long")
	}
}

// env is what makes a node of test/e2e/node behave otherwise.
type env map[string]string

// behaving is a started version whose node is always there, and behaves as its environment says.
func (n place) behaving(name string, replicas int32, vars env) {
	n.t.Helper()
	n.version(name, func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
		v.Spec.Entrypoint.Replicas = new(replicas)
		v.Spec.Nodes[0].Scale = &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))}
		for _, key := range slices.Sorted(maps.Keys(vars)) {
			v.Spec.Nodes[0].Env = append(v.Spec.Nodes[0].Env, v1alpha1.EnvVar{Name: key, Value: vars[key]})
		}
	})
}

// plan has all limits, and steps that end with the first reading after some seconds: there is one each 15 s.
const plan = `{steps: [{weight: 30, for: 10s}, {weight: 50, for: 10s}], minRequests: 100, waitLimit: 2m,
  limits: {errorRatio: {increase: 1%}, p95: {increase: 20%}, accuracy: {decrease: 2%, minSamples: 200}}}`

// planPatience is how long a plan may take: both steps with all the time that they may wait.
const planPatience = 6 * time.Minute

// verdict is how a plan has ended.
type verdict struct {
	promoted bool
	last     v1alpha1.CanaryStatus
	// requests are those of the canary until then, of all steps.
	requests int64
	took     time.Duration
}

// bad names the value that was bad; empty if none was.
func (v verdict) bad() string {
	for _, value := range v.last.Values {
		if value.Verdict == v1alpha1.VerdictBad {
			return value.Name
		}
	}
	return ""
}

// planned waits until the plan of a canary has ended.
func (n place) planned(canary string) verdict {
	n.t.Helper()
	begin, v, steps := time.Now(), verdict{}, map[int32]int64{}
	for ended := false; !ended; n.passes(time.Second) {
		require.Less(n.t, time.Since(begin), planPatience, v.last.Message)
		var rt v1alpha1.Runtime
		require.NoError(n.t, json.Unmarshal([]byte(n.In("get", "runtime.krt.dev/default", "-o", "json")), &rt))
		v.promoted = rt.Status.PublishedVersion == canary && rt.Spec.Canary == nil
		ended = v.promoted
		if c := rt.Status.Canary; c != nil && c.Version == canary {
			v.last = *c
			steps[c.Step] = max(steps[c.Step], c.Samples.Canary)
			ended = ended || c.Phase == v1alpha1.CanaryRolledBack || c.Phase == v1alpha1.CanaryPaused
		}
	}
	v.took = time.Since(begin)
	for _, requests := range steps {
		v.requests += requests
	}
	return v
}

// A canary that fails, is slow or predicts worse is rolled back because of that, and one that is as
// good as the published version is promoted. KRT_PLAN_RUNS says how often each is tried.
func TestPlans(t *testing.T) {
	long(t)
	runs, err := strconv.Atoi(cmp.Or(os.Getenv("KRT_PLAN_RUNS"), "1"))
	require.NoError(t, err)
	n := newRuntime(t)
	n.storeReady()
	canaries := []struct {
		name, bad string
		env       env
	}{
		{"failing", "errorRatio", env{"TAKES": "100ms", "RIGHT": "90", "FAILS": "5"}},
		{"slow", "p95", env{"TAKES": "200ms", "RIGHT": "90"}},
		{"wrong", "accuracy", env{"TAKES": "100ms", "RIGHT": "80"}},
		{"good", "", env{"TAKES": "100ms", "RIGHT": "90"}},
	}
	n.behaving(former, 1, env{"TAKES": "100ms", "RIGHT": "90"})
	for _, c := range canaries {
		c.env["SAYS"] = latter
		n.behaving(c.name, 1, c.env)
	}
	n.Ready("version/" + former)
	for _, c := range canaries {
		n.Ready("version/" + c.name)
	}
	n.publish(former)
	n.published(former)
	n.at("active-entrypoint")
	load := n.traffic()
	load.some(n, 50)
	var wrong []string
	for run := range runs {
		for _, c := range canaries {
			from := time.Now()
			n.Apply(fmt.Sprintf(`{apiVersion: krt.dev/v1alpha1, kind: Runtime, metadata: {name: default},
				spec: {publishedVersion: %s, canary: {version: %s, plan: %s}}}`, former, c.name, plan))
			v := n.planned(c.name)
			responses := load.since(from)
			failed := slices.DeleteFunc(slices.Clone(responses), func(r response) bool { return r.err == nil })
			t.Logf("run %d, %s: promoted %t after %s, %d requests of the canary (step %d); %d of %d requests failed; %s",
				run+1, c.name, v.promoted, v.took.Round(time.Second), v.requests, v.last.Step, len(failed), len(responses), v.last.Message)
			right := v.promoted == (c.bad == "") && (v.promoted || v.last.Phase == v1alpha1.CanaryRolledBack && v.bad() == c.bad)
			if !right {
				wrong = append(wrong, fmt.Sprintf("run %d, %s: %s: %s", run+1, c.name, v.last.Phase, v.last.Message))
			}
			if c.env["FAILS"] == "" && len(failed) > 0 {
				wrong = append(wrong, fmt.Sprintf("run %d, %s: %d requests failed: %v", run+1, c.name, len(failed), failed[0].err))
			}
			n.divide(fmt.Sprintf(`{publishedVersion: %s, canary: null}`, former), "")
			n.published(former)
			n.settled()
		}
	}
	t.Logf("%d plans, %d wrong", runs*len(canaries), len(wrong))
	require.Empty(t, wrong)
}
