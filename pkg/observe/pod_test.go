package observe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestPodsCause(t *testing.T) {
	const long = time.Hour
	const other = "Other"
	for _, tt := range []struct {
		name            string
		pod             corev1.Pod
		reason, message string
	}{
		{"a pod that is being made", testPod(container(corev1.ContainerStatus{State: waitingFor("ContainerCreating", "")})), "", ""},
		{"a pod that goes", testPod(func(p *corev1.Pod) {
			container(corev1.ContainerStatus{State: ended(1, "Error", "x")})(p)
			p.DeletionTimestamp = new(ago(0))
		}), "", ""},
		{"a pod that is ready and has crashed once", testPod(func(p *corev1.Pod) {
			container(corev1.ContainerStatus{Ready: true, RestartCount: 1, LastTerminationState: ended(1, "Error", "x")})(p)
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}), "", ""},
		{"no place", testPod(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
				Message: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found."}}
		}), v1alpha1.ReasonUnschedulable, "no node of the cluster takes its pod: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu; see what there is: kubectl describe nodes"},
		{"an image that is not there, tried", testPod(container(corev1.ContainerStatus{State: waitingFor("ErrImagePull",
			`rpc error: code = NotFound desc = failed to pull and unpack image "reg/etl:1": failed to resolve reference "reg/etl:1": reg/etl:1: not found`)})),
			v1alpha1.ReasonImageNotFound, `image "reg/etl:1" cannot be pulled: not found`},
		{"an image that is not there, waited for", testPod(container(corev1.ContainerStatus{State: waitingFor("ImagePullBackOff",
			`Back-off pulling image "reg/etl:1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "reg/etl:1": reg/etl:1: not found`)})),
			v1alpha1.ReasonImageNotFound, `image "reg/etl:1" cannot be pulled: not found`},
		{"an image of which nothing is said", testPod(container(corev1.ContainerStatus{State: waitingFor("ImagePullBackOff", "")})),
			v1alpha1.ReasonImageNotFound, `image "reg/etl:1" cannot be pulled: no reason given`},
		{"a crash", testPod(container(corev1.ContainerStatus{State: ended(2, "Error", "panic: s3cr3t is wrong\n")})),
			v1alpha1.ReasonCrashed, "its container ended with exit code 2: panic: *** is wrong"},
		{"a crash before the next try", testPod(container(corev1.ContainerStatus{
			State: waitingFor("CrashLoopBackOff", "back-off 10s"), LastTerminationState: ended(2, "Error", "bad"), RestartCount: 1})),
			v1alpha1.ReasonCrashed, "its container ended with exit code 2: bad"},
		{"a crash during the next try", testPod(container(corev1.ContainerStatus{Ready: true, RestartCount: 1,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: ago(time.Second)}}, LastTerminationState: ended(2, "Error", "bad")})),
			v1alpha1.ReasonCrashed, "its container ended with exit code 2: bad"},
		{"a crash without a word", testPod(container(corev1.ContainerStatus{State: ended(0, "Completed", "")})),
			v1alpha1.ReasonCrashed, "its container ended with exit code 0 and said nothing"},
		{"out of memory", testPod(container(corev1.ContainerStatus{State: ended(137, "OOMKilled", "")})),
			v1alpha1.ReasonCrashed, "its container was ended for want of memory (OOMKilled); raise its resources.limits.memory"},
		{"a key that the Secret lacks", testPod(container(corev1.ContainerStatus{State: waitingFor("CreateContainerConfigError", `couldn't find key TOKEN in Secret ns/v-config`)})),
			other, "its container cannot be started: CreateContainerConfigError: couldn't find key TOKEN in Secret ns/v-config"},
		{"it runs for long", testPod(func(p *corev1.Pod) {
			container(corev1.ContainerStatus{Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: ago(long)}}})(p)
			p.Status.ContainerStatuses[0].State.Running.StartedAt = ago(long)
		}), v1alpha1.ReasonNotAnswering, "its container has been running for more than 2m0s and is not ready: it may still be in init"},
		{"evicted", testPod(func(p *corev1.Pod) {
			p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "The node was low on memory."
		}), other, "its pod has failed: Evicted: The node was low on memory."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			requireCause(t, tt.reason, tt.message, testInput().podsCause([]corev1.Pod{tt.pod}, other))
		})
	}
}

func requireCause(t *testing.T, reason, message string, c *Cause) {
	t.Helper()
	if reason == "" {
		require.Nil(t, c)
		return
	}
	require.Equal(t, &Cause{reason, message}, c)
}

func TestEventsOfASilentPod(t *testing.T) {
	silent := testPod(container(corev1.ContainerStatus{State: waitingFor("ContainerCreating", "")}))
	silent.Status.ContainerStatuses[0].State = waitingFor("ContainerCreating", "")
	require.True(t, NeedsEvents(&silent, testNow))
	young := silent
	young.CreationTimestamp = ago(time.Second)
	require.False(t, NeedsEvents(&young, testNow), "it may just take its time")

	in := testInput()
	in.Events = map[types.UID][]corev1.Event{"p": {
		{Type: corev1.EventTypeWarning, Reason: "FailedMount", Message: `secret "v-config" not found`, LastTimestamp: ago(time.Second)},
		{Type: corev1.EventTypeWarning, Reason: "Older", LastTimestamp: ago(time.Minute)},
		{Type: corev1.EventTypeWarning, Reason: "FailedScheduling", EventTime: metav1.NewMicroTime(testNow)},
		{Type: corev1.EventTypeNormal, Reason: "Pulling", LastTimestamp: ago(0)},
	}}
	requireCause(t, "Other", `its pod cannot be started: FailedMount: secret "v-config" not found`, in.podsCause([]corev1.Pod{silent}, "Other"))
	in.Now = testNow.Add(time.Hour)
	require.Nil(t, in.podsCause([]corev1.Pod{silent}, "Other"), "nobody has said it again for long")
}

func TestTheOldestPodSpeaks(t *testing.T) {
	older := testPod(container(corev1.ContainerStatus{State: ended(1, "Error", "first")}))
	younger := testPod(container(corev1.ContainerStatus{State: ended(1, "Error", "second")}))
	younger.Name, younger.CreationTimestamp = "a", ago(time.Second)
	requireCause(t, v1alpha1.ReasonCrashed, "its container ended with exit code 1: first", testInput().podsCause([]corev1.Pod{younger, older}, "Other"))
}
