package observe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

var testNow = time.Unix(1_000_000, 0)

func testVersion() *v1alpha1.Version {
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v", Namespace: "ns", Generation: 1}}
	v.Spec.State = v1alpha1.StateStarted
	v.Spec.Nodes = []v1alpha1.Node{{Name: "etl"}}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "flow", Sequential: []string{"etl"}}}
	v.BeginStatus()
	return v
}

func testInput() Input {
	return Input{Now: testNow, StartTimeout: 2 * time.Minute, Serving: true, Eventing: true,
		Config: Config{Ready: true, Mask: NewMask(map[string][]byte{"TOKEN": []byte("s3cr3t")})}}
}

// ago is a time before testNow.
func ago(d time.Duration) metav1.Time { return metav1.NewTime(testNow.Add(-d)) }

// testService is a Knative Service that Knative has reconciled, with its conditions marked.
func testService(marks ...func(apis.ConditionManager)) *servingv1.Service {
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Generation: 1, CreationTimestamp: ago(time.Minute)}}
	s.Status.ObservedGeneration = 1
	s.Status.LatestCreatedRevisionName, s.Status.LatestReadyRevisionName = "v-etl-00001", "v-etl-00001"
	set := s.GetConditionSet().Manage(&s.Status)
	set.InitializeConditions()
	for _, mark := range marks {
		mark(set)
	}
	return s
}

func testRevision(marks ...func(*servingv1.RevisionStatus)) *servingv1.Revision {
	r := &servingv1.Revision{}
	r.Status.InitializeConditions()
	r.Status.ContainerStatuses = []servingv1.ContainerStatus{{ImageDigest: "reg/etl@sha256:1"}}
	for _, mark := range marks {
		mark(&r.Status)
	}
	return r
}

func testPod(change func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "p", CreationTimestamp: ago(time.Minute)}}
	p.Spec.NodeName, p.Status.Phase = "worker", corev1.PodPending
	change(&p)
	return p
}

// container is a pod whose node's container is in the given state.
func container(c corev1.ContainerStatus) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		c.Name, c.Image = "user-container", "reg/etl:1"
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: sidecar, State: running(time.Second)}, c}
	}
}

// running is a container that has been running for so long.
func running(age time.Duration) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: ago(age)}}
}

func waitingFor(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func ended(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}
}

func ready(set apis.ConditionManager) {
	set.MarkTrue(servingv1.ServiceConditionConfigurationsReady)
	set.MarkTrue(servingv1.ServiceConditionRoutesReady)
}

// requireCause wants a cause, none without a reason.
func requireCause(t *testing.T, reason, message string, c *Cause) {
	t.Helper()
	if reason == "" {
		require.Nil(t, c)
		return
	}
	require.Equal(t, &Cause{reason, message}, c)
}
