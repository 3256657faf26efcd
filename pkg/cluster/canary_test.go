package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// divided is a Runtime, seen by the controller, that publishes a and has a canary in that phase.
func divided(canary string, phase v1alpha1.CanaryPhase) *v1alpha1.Runtime {
	r := &v1alpha1.Runtime{}
	r.Spec.PublishedVersion, r.Status.PublishedVersion = "a", "a"
	if canary != "" {
		r.Spec.Canary = &v1alpha1.Canary{Version: canary, Weight: 10}
	}
	if phase != "" {
		r.Status.Canary = &v1alpha1.CanaryStatus{Version: "b", Phase: phase, Weight: 10, Reason: "Reason", Message: "why"}
	}
	return r
}

func TestJudgeCanary(t *testing.T) {
	unseen := divided("b", "")
	unseen.Generation = 2
	observed := func(s Situation, message string) Observation { return Observation{Situation: s, Message: message} }
	failing := verdict{Observation: observed(SituationFailing, "Reason: why"), final: true}
	for name, one := range map[string]struct {
		runtime *v1alpha1.Runtime
		version string
		wanted  bool
		want    verdict
	}{
		"not seen":      {unseen, "b", true, unobserved()},
		"no status yet": {divided("b", ""), "b", true, unobserved()},
		"waiting":       {divided("b", v1alpha1.CanaryWaiting), "b", true, verdict{Observation: observed(SituationProgressing, "why")}},
		"serving":       {divided("b", v1alpha1.CanaryServing), "b", true, verdict{done: true}},
		"paused":        {divided("b", v1alpha1.CanaryPaused), "b", true, verdict{done: true}},
		"refused":       {divided("b", v1alpha1.CanaryRefused), "b", true, failing},
		"rolled back":   {divided("b", v1alpha1.CanaryRolledBack), "b", true, failing},
		"promoted":      {divided("", ""), "a", true, verdict{done: true}},
		"another": {divided("c", ""), "b", true,
			verdict{Observation: Observation{Situation: SituationOtherCanary, Other: "c"}, final: true}},
		"none":             {divided("", ""), "b", true, final(SituationOtherCanary)},
		"aborted":          {divided("", ""), "b", false, verdict{done: true}},
		"replaced":         {divided("c", ""), "b", false, verdict{done: true}},
		"still leaving":    {divided("", v1alpha1.CanaryWaiting), "b", false, verdict{Observation: observed(SituationProgressing, "why")}},
		"asked to be one":  {divided("b", v1alpha1.CanaryServing), "b", false, final(SituationAskedToServe)},
		"nothing to abort": {nil, "b", false, verdict{done: true}},
		"nothing":          {nil, "b", true, final(SituationOtherCanary)},
	} {
		t.Run(name, func(t *testing.T) {
			judge := judgeAborted
			if one.wanted {
				judge = judgeCanary
			}
			require.Equal(t, one.want, judge(one.runtime, one.runtime != nil, one.version))
		})
	}
}
