package observe

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// deployment is a Deployment of two replicas in its second generation.
func deployment(s appsv1.DeploymentStatus) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "v-entrypoint", Namespace: "ns", Generation: 2}, Status: s}
	d.Spec.Replicas = new(int32(2))
	return d
}

func TestEntrypoint(t *testing.T) {
	const waiting, see = v1alpha1.ReasonDeploying, "; see: kubectl describe deployment v-entrypoint -n ns"
	one := deployment(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1})
	none := deployment(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2})
	refused := &Cause{v1alpha1.ReasonNotOwned, "taken"}
	for _, tt := range []struct {
		name            string
		entrypoint      Entrypoint
		reason, message string
	}{
		{"no Deployment, no addresses", Entrypoint{}, waiting, "it is waiting for the addresses of the workflows"},
		{"no Deployment yet", Entrypoint{Addresses: map[string]string{"flow": "http://flow"}}, waiting, "its pods are starting"},
		{"one of two is ready", Entrypoint{Deployment: one}, "", ""},
		{"written just now", Entrypoint{Deployment: one, Applied: true}, waiting, "its pods are starting"},
		{"withheld", Entrypoint{Deployment: one, Withheld: true}, waiting, "it is withheld until everything else is ready"},
		{"refused", Entrypoint{Deployment: one, Refused: refused}, v1alpha1.ReasonNotOwned, "taken"},
		{"invalid", Entrypoint{Deployment: one, Refused: refused, Invalid: "p.proto:1: no syntax"}, v1alpha1.ReasonInvalid,
			"p.proto:1: no syntax; fix it in a version with another name, or in this one after stopping it: kn krt stop v -n ns"},
		{"not observed", Entrypoint{Deployment: deployment(appsv1.DeploymentStatus{
			ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2})}, waiting, "its pods are starting"},
		{"old pods are replaced", Entrypoint{Deployment: deployment(appsv1.DeploymentStatus{
			ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 2})}, waiting, "its pods are starting"},
		{"its pods crash", Entrypoint{Deployment: none,
			Pods: []corev1.Pod{testPod(container(corev1.ContainerStatus{State: ended(1, "Error", "no key")}))}},
			v1alpha1.ReasonCrashed, "entrypoint: its container ended with exit code 1: no key" + see},
		{"its pods are refused", Entrypoint{Deployment: deployment(appsv1.DeploymentStatus{ObservedGeneration: 2,
			Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue,
				Reason: "FailedCreate", Message: "exceeded quota"}}})},
			v1alpha1.ReasonEntrypointFailed, "entrypoint: FailedCreate: exceeded quota" + see},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := testInput()
			in.Entrypoint = tt.entrypoint
			requireCause(t, tt.reason, tt.message, in.entrypoint(testVersion()))
		})
	}
}

func TestMarkEntrypoint(t *testing.T) {
	v, in := testVersion(), testInput()
	status := func() metav1.ConditionStatus {
		Mark(v, in)
		return v.Status.Condition(v1alpha1.ConditionEntrypointReady).Status
	}
	require.Equal(t, metav1.ConditionUnknown, status())
	in.Entrypoint.Refused = &Cause{v1alpha1.ReasonNotOwned, "taken"}
	require.Equal(t, metav1.ConditionFalse, status())
	in.Entrypoint = Entrypoint{URL: "http://v.ns.svc.cluster.local",
		Deployment: deployment(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2})}
	require.Equal(t, metav1.ConditionTrue, status())
	require.Equal(t, "http://v.ns.svc.cluster.local", v.Status.Address.URL)
}
