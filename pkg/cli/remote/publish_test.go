package remote

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestWhatCanBePublished(t *testing.T) {
	c := &Cluster{program: "kn krt"}
	for _, one := range []struct {
		name    string
		state   v1alpha1.State
		phase   v1alpha1.Phase
		ready   metav1.ConditionStatus
		refusal string
	}{
		{"ready", v1alpha1.StateStarted, v1alpha1.PhaseStarted, metav1.ConditionTrue, ""},
		{"up, and looked at anew", v1alpha1.StateStarted, v1alpha1.PhaseStarted, metav1.ConditionUnknown, ""},
		{"up, and broken", v1alpha1.StateStarted, v1alpha1.PhaseStarted, metav1.ConditionFalse, "it is not ready: Crashed: why"},
		{"starting", v1alpha1.StateStarted, v1alpha1.PhaseStarting, metav1.ConditionUnknown, "it is not ready: why"},
		{"stopped", v1alpha1.StateStopped, v1alpha1.PhaseStopped, metav1.ConditionFalse, "it is stopped"},
	} {
		t.Run(one.name, func(t *testing.T) {
			v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}
			v.Spec.State, v.Status.Phase = one.state, one.phase
			v.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: one.ready, Reason: "Crashed", Message: "why"}}
			err := c.requirePublishable(v)
			if one.refusal == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, `cannot publish version "v": `+one.refusal)
		})
	}
}
