package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestWhatCanBePublished(t *testing.T) {
	const up, running = v1alpha1.StateStarted, v1alpha1.PhaseStarted
	c := &Client{namespace: "ns"}
	for name, one := range map[string]struct {
		state   v1alpha1.State
		phase   v1alpha1.Phase
		ready   metav1.ConditionStatus
		refusal Rule
		text    string
	}{
		"ready":                      {state: up, phase: running, ready: metav1.ConditionTrue},
		"up, and reconciled again":   {state: up, phase: running, ready: metav1.ConditionUnknown},
		"up, and broken":             {up, running, metav1.ConditionFalse, RuleNotReady, "it is not ready: Crashed: why"},
		"starting":                   {up, v1alpha1.PhaseStarting, metav1.ConditionUnknown, RuleNotReady, "it is not ready: why"},
		"not seen by a controller":   {up, "", "", RuleNotReady, "it is not ready: the controller has not seen it yet"},
		"stopped":                    {v1alpha1.StateStopped, v1alpha1.PhaseStopped, metav1.ConditionFalse, RuleStopped, "it is stopped"},
		"no state, which is stopped": {"", "", "", RuleStopped, "it is stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}
			v.Spec.State, v.Status.Phase = one.state, one.phase
			if one.ready != "" {
				v.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: one.ready, Reason: "Crashed", Message: "why"}}
			}
			err := c.requirePublishable(nil, v, "publish")
			if one.refusal == "" {
				require.NoError(t, err)
				return
			}
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, one.refusal, refused.Rule)
			require.EqualError(t, err, `cannot publish version "v": `+one.text)
		})
	}
}

// The deletion of what is asked to be published waits: it would neither go nor be published.
func TestWhatIsBeingDeletedIsNotPublished(t *testing.T) {
	c := &Client{namespace: "ns"}
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v", DeletionTimestamp: new(metav1.Now())}}
	v.Spec.State = v1alpha1.StateStarted
	v.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
	r := &v1alpha1.Runtime{}
	for _, none := range []*v1alpha1.Runtime{nil, r} {
		require.EqualError(t, c.requirePublishable(none, v, "publish"), `cannot publish version "v": it is being deleted`)
	}
	r.Status.PublishedVersion = "v" // it serves, and another one is to be published
	require.NoError(t, c.requirePublishable(r, v, "publish"))
}

func TestThePreviousVersionIsTheLastOneThatWasAnother(t *testing.T) {
	for name, one := range map[string]struct {
		present string
		history []string
		want    string
	}{
		"nothing yet":       {"", nil, ""},
		"the first":         {"a", []string{"a"}, ""},
		"two":               {"b", []string{"a", "b"}, "a"},
		"unpublished":       {"", []string{"a", "b", ""}, "b"},
		"back again":        {"a", []string{"a", "b", "a"}, "b"},
		"the same twice":    {"b", []string{"a", "b", "", "b"}, "a"},
		"not published yet": {"c", []string{"a", "b"}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &v1alpha1.Runtime{Spec: v1alpha1.RuntimeSpec{PublishedVersion: one.present}}
			for _, version := range one.history {
				r.Status.History = append(r.Status.History, v1alpha1.Publication{Version: version})
			}
			require.Equal(t, one.want, previous(r))
		})
	}
}
