package observe_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
)

func canaryVersion(state v1alpha1.State, ready metav1.ConditionStatus, message string) *v1alpha1.Version {
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "b", Namespace: "dev"}, Spec: v1alpha1.VersionSpec{State: state}}
	v.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: ready, Message: message}}
	return v
}

func TestCanaryUnready(t *testing.T) {
	idle, receiving := &v1alpha1.Runtime{}, &v1alpha1.Runtime{}
	receiving.Status.Canary = &v1alpha1.CanaryStatus{Version: "b", Receiving: true}
	deleted := canaryVersion(v1alpha1.StateStarted, metav1.ConditionTrue, "")
	deleted.DeletionTimestamp = &metav1.Time{}
	for name, tt := range map[string]struct {
		runtime *v1alpha1.Runtime
		version *v1alpha1.Version
		want    *observe.Cause
	}{
		"it is ready": {idle, canaryVersion(v1alpha1.StateStarted, metav1.ConditionTrue, ""), nil},
		"it starts": {idle, canaryVersion(v1alpha1.StateStarted, metav1.ConditionUnknown, ""),
			&observe.Cause{Reason: v1alpha1.ReasonPublishing, Message: `version "b" is starting`}},
		"it rolls": {receiving, canaryVersion(v1alpha1.StateStarted, metav1.ConditionUnknown, ""), nil},
		"it fails": {receiving, canaryVersion(v1alpha1.StateStarted, metav1.ConditionFalse, "no memory"),
			&observe.Cause{Reason: v1alpha1.ReasonVersionNotReady, Message: `version "b" is not ready: no memory`}},
		"it is to stop, and ready until then": {receiving, canaryVersion(v1alpha1.StateStopped, metav1.ConditionTrue, ""),
			&observe.Cause{Reason: v1alpha1.ReasonVersionNotReady,
				Message: `version "b" is not ready: it is stopped; start it: kn krt start b -n dev`}},
		"it is being deleted": {receiving, deleted,
			&observe.Cause{Reason: v1alpha1.ReasonVersionNotReady, Message: `version "b" is not ready: it is being deleted`}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tt.want, observe.CanaryUnready(tt.runtime, tt.version)) })
	}
}

func TestCannotDivide(t *testing.T) {
	now, before := canaryVersion(v1alpha1.StateStarted, metav1.ConditionTrue, ""), &v1alpha1.Version{}
	now.Status.StartedWith = &v1alpha1.StartedWith{Abilities: v1alpha1.Abilities{Traffic: true}}
	before.Status.StartedWith = &v1alpha1.StartedWith{}
	require.Nil(t, observe.CannotDivide(now, now))
	require.Equal(t, v1alpha1.ReasonRestartNeeded, observe.CannotDivide(before, now).Reason)
	require.Equal(t, v1alpha1.ReasonRestartNeeded, observe.CannotDivide(now, before).Reason)
}
