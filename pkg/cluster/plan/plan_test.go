package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/plan"
)

func step(weight int32, minutes int) v1alpha1.CanaryStep {
	return v1alpha1.CanaryStep{Weight: weight, For: metav1.Duration{Duration: time.Duration(minutes) * time.Minute}}
}

func TestTheExampleIsAPlan(t *testing.T) {
	got, err := plan.Parse("plan.yaml", []byte(plan.Example))
	require.NoError(t, err)
	require.Equal(t, &v1alpha1.CanaryPlan{
		Steps:       []v1alpha1.CanaryStep{step(5, 10), step(25, 20), step(50, 20)},
		MinRequests: 100, OnFailure: v1alpha1.CanaryRollback, OnSuccess: v1alpha1.CanaryPromote,
		WaitLimit: metav1.Duration{Duration: 2 * time.Hour},
		Limits: v1alpha1.CanaryLimits{
			ErrorRatio: &v1alpha1.IncreaseLimit{Increase: "1%"}, P95: &v1alpha1.IncreaseLimit{Increase: "20%"},
		},
	}, got)
}

func TestAPlanWithEverything(t *testing.T) {
	got, err := plan.Parse("plan.yaml", []byte(`
steps: [{weight: 99, for: 1h30m}]
limits:
  accuracy: {decrease: 2%}
  agreement: {min: 99.5%, minSamples: 7}
  query:
  - {name: cost, prometheus: 'sum(rate(cost{version="$canary"}[$window]))', max: 0.1, min: "-1"}
onFailure: Pause
onSuccess: Pause
waitLimit: 30m
`))
	require.NoError(t, err)
	require.EqualValues(t, 200, got.Limits.Accuracy.MinSamples)
	require.Equal(t, &v1alpha1.AgreementLimit{Min: "99.5%", MinSamples: 7}, got.Limits.Agreement)
	require.Equal(t, []v1alpha1.QueryLimit{{
		Name: "cost", Prometheus: `sum(rate(cost{version="$canary"}[$window]))`, Min: "-1", Max: "0.1",
	}}, got.Limits.Query)
	require.Equal(t, 30*time.Minute, got.WaitLimit.Duration)
}

func TestEveryProblemHasItsLine(t *testing.T) {
	for name, one := range map[string]struct{ text, want string }{
		"nothing":     {"", "p:1:1: the file is empty; a plan needs steps"},
		"comments":    {"# nothing\n", "p:1:1: the file is empty; a plan needs steps"},
		"a list":      {"- a", "p:1:1: a plan must be a map, not a list"},
		"a text":      {"plan", `p:1:1: a plan must be a map, not "plan"`},
		"not YAML":    {"a: b\nc: [", "p:2:1: not valid YAML: did not find expected node content"},
		"a second":    {"steps: [{weight: 1, for: 1m}]\n---\na: b", "p:2:1: a second YAML document begins here; a plan is a single document"},
		"no steps":    {"minRequests: 5", "p:1:1: steps is missing"},
		"empty steps": {"steps: []", "p:1:8: steps has 0 elements; it must have 1 to 20"},
		"aliases":     {"steps: [&a {weight: 1, for: 1m}, *a]", "p:1:34: steps[1] must not be an alias"},
		"large":       {strings.Repeat("#", plan.MaxSize+1), "p:1:1: the file is larger than 65536 bytes"},
		"many": {
			`steps:
- {weight: 0, for: soon}
- {wieght: 5}
- {weight: 5, weight: 6, for: 10m}
minRequests: few
limits:
  errorRatio: {increase: 1}
  p95:
  query: [{name: a, prometheus: up}, {name: a, prometheus: up, max: high}]
onFailure: Abort
`,
			`p:2:12: steps[0].weight is "0"; it must be a whole number from 1 to 99
p:2:20: steps[0].for is "soon"; it must be a duration from 1s to 720h such as 10m or 1h30m
p:3:4: unknown field "steps[1].wieght"; did you mean "weight"?
p:3:3: steps[1].weight is missing
p:3:3: steps[1].for is missing
p:4:15: steps[2].weight appears twice; the first is on line 4
p:5:14: minRequests is "few"; it must be a whole number from 1 to 1000000
p:7:26: limits.errorRatio.increase is "1"; it must be a percentage such as 1% or 0.5%
p:8:7: limits.p95 must be a map, not empty
p:9:11: limits.query[0] needs min or max
p:9:69: limits.query[1].max is "high"; it must be a decimal number
p:9:38: limits.query[1] has the name "a", which another one has
p:10:12: onFailure is "Abort"; it must be Rollback or Pause`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := plan.Parse("p", []byte(one.text))
			require.Nil(t, got)
			require.EqualError(t, err, one.want)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(plan.Example))
	f.Add([]byte("steps: [&a {weight: 1, for: 1m}, *a]\n---\nb"))
	f.Add([]byte("limits: {query: [{name: a}]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := plan.Parse("p", text)
		if (got == nil) == (err == nil) {
			t.Fatalf("%v, %v", got, err)
		}
		if err == nil && len(got.Steps) == 0 {
			t.Fatal("a plan without steps")
		}
	})
}
