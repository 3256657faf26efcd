package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// condition adds a condition of the generation to a version.
func condition(kind string, status metav1.ConditionStatus, reason, message string) func(*v1alpha1.Version) {
	return func(v *v1alpha1.Version) {
		c := metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: v.Generation}
		v.Status.Conditions = append(v.Status.Conditions, c)
	}
}

func ready(status metav1.ConditionStatus, reason string) func(*v1alpha1.Version) {
	return condition(v1alpha1.ConditionReady, status, reason, "why")
}

func in(phase v1alpha1.Phase) func(*v1alpha1.Version) {
	return func(v *v1alpha1.Version) { v.Status.Phase = phase }
}

func TestJudge(t *testing.T) {
	const up, down = v1alpha1.StateStarted, v1alpha1.StateStopped
	type changes = []func(*v1alpha1.Version)
	observed := func(s Situation, message string) Observation { return Observation{Situation: s, Message: message} }
	unseen := func(v *v1alpha1.Version) { v.Status.ObservedGeneration = 1 }
	deleted := func(v *v1alpha1.Version) { v.DeletionTimestamp = new(metav1.Now()) }
	restart := func(v *v1alpha1.Version) {
		v.Spec.Restart = "now"
		v.Status.StartedWith = &v1alpha1.StartedWith{}
	}
	crashed := observed(SituationFailing, "Crashed: why")
	for name, test := range map[string]struct {
		goal    Goal
		state   v1alpha1.State
		changes changes
		want    verdict
	}{
		"not seen":              {GoalStarted, up, changes{unseen}, verdict{Observation: observed(SituationUnobserved, ""), quiet: true}},
		"started":               {GoalStarted, up, changes{in(v1alpha1.PhaseStarted), ready("True", "Ready")}, verdict{done: true}},
		"ready, and not up yet": {GoalStarted, up, changes{in(v1alpha1.PhaseStarting), ready("True", "Ready")}, verdict{}},
		"no condition yet":      {GoalStarted, up, nil, verdict{}},
		"starting": {GoalStarted, up, changes{ready("Unknown", "Deploying")},
			verdict{Observation: observed(SituationProgressing, "why")}},
		"crashed": {GoalStarted, up, changes{in(v1alpha1.PhaseStarting), ready("False", "Crashed")}, verdict{Observation: crashed}},
		"given up": {GoalStarted, up, changes{in(v1alpha1.PhaseStopped), ready("False", "Crashed")},
			verdict{Observation: crashed, final: true}},
		"no room": {GoalStarted, up, changes{in(v1alpha1.PhaseStarting), ready("False", v1alpha1.ReasonUnschedulable)},
			verdict{Observation: observed(SituationFailing, "Unschedulable: why"), patient: true}},
		"asked to stop": {GoalStarted, down, nil, final(SituationAskedToStop)},

		"stopped":        {GoalStopped, down, changes{in(v1alpha1.PhaseStopped)}, verdict{done: true}},
		"stopping":       {GoalStopped, down, changes{in(v1alpha1.PhaseStopping)}, verdict{Observation: observed(SituationDraining, "")}},
		"asked to start": {GoalStopped, up, nil, final(SituationAskedToStart)},
		"stop refused": {GoalStopped, down, changes{condition(v1alpha1.ConditionStopRefused, "True", "Published", "why")},
			verdict{Observation: observed(SituationFailing, "Published: why"), final: true}},

		"not begun to restart": {GoalRestarted, up,
			changes{restart, condition(v1alpha1.ConditionCurrent, "False", v1alpha1.ReasonBehind, "why")},
			verdict{Observation: observed(SituationProgressing, "why")}},
		"restarting": {GoalRestarted, up, changes{restart, condition(v1alpha1.ConditionCurrent, "Unknown", "Restarting", "why")},
			verdict{Observation: observed(SituationProgressing, "why")}},
		"cannot restart": {GoalRestarted, up, changes{restart, condition(v1alpha1.ConditionCurrent, "False", "Crashed", "why")},
			verdict{Observation: crashed}},
		"restarted": {GoalRestarted, up, changes{in(v1alpha1.PhaseStarted), ready("True", "Ready")}, verdict{done: true}},

		"deleting":    {GoalDeleted, down, changes{deleted}, verdict{Observation: observed(SituationDeleting, "")}},
		"not deleted": {GoalDeleted, down, nil, final(SituationNotDeleted)},
		"deletion refused": {GoalDeleted, down, changes{deleted, condition(v1alpha1.ConditionDeleteRefused, "True", "Published", "why")},
			verdict{Observation: observed(SituationFailing, "Published: why"), final: true}},
	} {
		t.Run(name, func(t *testing.T) {
			v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v", Generation: 2}}
			v.Spec.State, v.Status.ObservedGeneration = test.state, 2
			for _, change := range test.changes {
				change(v)
			}
			require.Equal(t, test.want, test.goal.judge(v, true))
		})
	}
	require.Equal(t, final(SituationGone), GoalStarted.judge(nil, false))
	require.Equal(t, verdict{done: true}, GoalDeleted.judge(nil, false))
}

func TestJudgePublication(t *testing.T) {
	runtime := func(wanted, published string, observedGeneration int64) *v1alpha1.Runtime {
		r := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
		r.Spec.PublishedVersion, r.Status.PublishedVersion, r.Status.ObservedGeneration = wanted, published, observedGeneration
		r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "False", Reason: "VersionNotReady", Message: "why"}}
		return r
	}
	other := func(name string) verdict {
		return verdict{Observation: Observation{Situation: SituationOtherPublished, Other: name}, final: true}
	}
	asked := final(SituationAskedToPublish)
	waiting := verdict{Observation: Observation{Situation: SituationFailing, Message: "VersionNotReady: why"}}
	for name, test := range map[string]struct {
		runtime     *v1alpha1.Runtime
		published   verdict // for GoalPublished of "a"
		unpublished verdict
	}{
		"no Runtime":            {nil, other(""), verdict{done: true}},
		"it is":                 {runtime("a", "a", 2), verdict{done: true}, asked},
		"another is":            {runtime("b", "b", 2), other("b"), verdict{done: true}},
		"not seen":              {runtime("a", "b", 1), unobserved(), asked},
		"not yet":               {runtime("a", "b", 2), waiting, asked},
		"no longer, but so far": {runtime("", "a", 2), other(""), waiting},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.published, judgeRuntime(test.runtime, test.runtime != nil, "a", true))
			require.Equal(t, test.unpublished, judgeRuntime(test.runtime, test.runtime != nil, "a", false))
		})
	}
}

func TestWarningsComeOnce(t *testing.T) {
	var got []string
	w := &warnings{warn: func(text string) { got = append(got, text) }}
	for _, text := range []string{"old field", "old field", "", "other"} {
		w.HandleWarningHeader(299, "-", text)
	}
	w.HandleWarningHeader(199, "-", "of a proxy")
	require.Equal(t, []string{"old field", "other"}, got)
}
