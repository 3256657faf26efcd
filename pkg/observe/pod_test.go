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
	const other, crashed, notFound = "Other", v1alpha1.ReasonCrashed, v1alpha1.ReasonImageNotFound
	waiting := func(reason, message string) corev1.Pod {
		return testPod(container(corev1.ContainerStatus{State: waitingFor(reason, message)}))
	}
	for _, tt := range []struct {
		name            string
		pod             corev1.Pod
		reason, message string
	}{
		{"a pod that is being created", waiting("ContainerCreating", ""), "", ""},
		{"a pod that is being deleted", testPod(func(p *corev1.Pod) {
			container(corev1.ContainerStatus{State: ended(1, "Error", "x")})(p)
			p.DeletionTimestamp = new(ago(0))
		}), "", ""},
		{"a pod that is ready and has crashed once", testPod(func(p *corev1.Pod) {
			container(corev1.ContainerStatus{Ready: true, RestartCount: 1, LastTerminationState: ended(1, "Error", "x")})(p)
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}), "", ""},
		{"no node for it", testPod(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
				Message: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. no new claims to deallocate, " +
					"preemption: 0/1 nodes are available: 1 No preemption victims found."}}
		}), v1alpha1.ReasonUnschedulable, "its pod cannot be scheduled on any node of the cluster: " +
			"0/1 nodes are available: 1 Insufficient nvidia.com/gpu; see: kubectl describe nodes"},
		{"an image that does not exist, pulled", waiting("ErrImagePull", `rpc error: code = NotFound desc = `+
			`failed to pull and unpack image "reg/etl:1": failed to resolve reference "reg/etl:1": reg/etl:1: not found`),
			notFound, `image "reg/etl:1" cannot be pulled: not found`},
		{"an image that does not exist, waited for", waiting("ImagePullBackOff", `Back-off pulling image "reg/etl:1": ErrImagePull: `+
			`rpc error: code = NotFound desc = failed to pull and unpack image "reg/etl:1": reg/etl:1: not found`),
			notFound, `image "reg/etl:1" cannot be pulled: not found`},
		{"an image without a message", waiting("ImagePullBackOff", ""), notFound, `image "reg/etl:1" cannot be pulled: no reason given`},
		{"a crash", testPod(container(corev1.ContainerStatus{State: ended(2, "Error", "panic: s3cr3t is wrong\n")})),
			crashed, "its container ended with exit code 2: panic: *** is wrong"},
		{"a crash before the restart", testPod(container(corev1.ContainerStatus{
			State: waitingFor("CrashLoopBackOff", "back-off 10s"), LastTerminationState: ended(2, "Error", "bad"), RestartCount: 1})),
			crashed, "its container ended with exit code 2: bad"},
		{"a crash after a restart", testPod(container(corev1.ContainerStatus{Ready: true, RestartCount: 1,
			State: running(time.Second), LastTerminationState: ended(2, "Error", "bad")})),
			crashed, "its container ended with exit code 2: bad"},
		{"a crash without a message", testPod(container(corev1.ContainerStatus{State: ended(0, "Completed", "")})),
			crashed, "its container ended with exit code 0 and logged nothing"},
		{"out of memory", testPod(container(corev1.ContainerStatus{State: ended(137, "OOMKilled", "")})),
			crashed, "its container ran out of memory and was killed (OOMKilled); raise its resources.limits.memory"},
		{"a key that the Secret lacks", waiting("CreateContainerConfigError", `couldn't find key TOKEN in Secret ns/v-config`),
			other, "its container cannot be started: CreateContainerConfigError: couldn't find key TOKEN in Secret ns/v-config"},
		{"it runs for long", testPod(func(p *corev1.Pod) {
			container(corev1.ContainerStatus{Ready: true, State: running(time.Hour)})(p)
			p.Status.ContainerStatuses[0].State = running(time.Hour)
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

func TestEventsOfASilentPod(t *testing.T) {
	silent := testPod(container(corev1.ContainerStatus{State: waitingFor("ContainerCreating", "")}))
	silent.Status.ContainerStatuses[0].State = waitingFor("ContainerCreating", "")
	require.True(t, NeedsEvents(&silent, testNow))
	young := silent
	young.CreationTimestamp = ago(time.Second)
	require.False(t, NeedsEvents(&young, testNow), "it may just be starting")

	in := testInput()
	in.Events = map[types.UID][]corev1.Event{"p": {
		{Type: corev1.EventTypeWarning, Reason: "FailedMount", Message: `secret "v-config" not found`, LastTimestamp: ago(time.Second)},
		{Type: corev1.EventTypeWarning, Reason: "Older", LastTimestamp: ago(time.Minute)},
		{Type: corev1.EventTypeWarning, Reason: "Ended", EventTime: metav1.NewMicroTime(testNow),
			Series: &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(testNow.Add(-time.Minute))}},
		{Type: corev1.EventTypeWarning, Reason: "FailedScheduling", EventTime: metav1.NewMicroTime(testNow)},
		{Type: corev1.EventTypeNormal, Reason: "Pulling", LastTimestamp: ago(0)},
	}}
	requireCause(t, "Other", `its pod cannot be started: FailedMount: secret "v-config" not found`,
		in.podsCause([]corev1.Pod{silent}, "Other"))
	in.Now = testNow.Add(time.Hour)
	require.Nil(t, in.podsCause([]corev1.Pod{silent}, "Other"), "it has not been repeated for long")
}

func TestTheCauseIsTheOldestPods(t *testing.T) {
	older := testPod(container(corev1.ContainerStatus{State: ended(1, "Error", "first")}))
	younger := testPod(container(corev1.ContainerStatus{State: ended(1, "Error", "second")}))
	younger.Name, younger.CreationTimestamp = "a", ago(time.Second)
	requireCause(t, v1alpha1.ReasonCrashed, "its container ended with exit code 1: first",
		testInput().podsCause([]corev1.Pod{younger, older}, "Other"))
}

func TestAPodThatHasEndedIsACauseIfItIsAlone(t *testing.T) {
	evicted := testPod(func(p *corev1.Pod) {
		p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "The node was low on memory."
	})
	crashed := testPod(container(corev1.ContainerStatus{State: ended(1, "Error", "no model")}))
	crashed.Name, crashed.CreationTimestamp = "q", ago(time.Second)
	starting := testPod(func(p *corev1.Pod) { p.Name = "q" })
	deleted := crashed
	deleted.DeletionTimestamp = new(ago(0))
	const failed = "its pod has failed: Evicted: The node was low on memory."
	for name, tt := range map[string]struct {
		pods            []corev1.Pod
		reason, message string
	}{
		"alone":                  {[]corev1.Pod{evicted}, "Other", failed},
		"another crashes":        {[]corev1.Pod{evicted, crashed}, v1alpha1.ReasonCrashed, "its container ended with exit code 1: no model"},
		"another starts":         {[]corev1.Pod{evicted, starting}, "", ""},
		"another is deleted":     {[]corev1.Pod{evicted, deleted}, "Other", failed},
		"another has ended, too": {[]corev1.Pod{evicted, evicted}, "Other", failed},
	} {
		t.Run(name, func(t *testing.T) { requireCause(t, tt.reason, tt.message, testInput().podsCause(tt.pods, "Other")) })
	}
}

func TestOccurrences(t *testing.T) {
	first, last := metav1.NewMicroTime(testNow.Add(-time.Hour)), metav1.NewMicroTime(testNow)
	for name, tt := range map[string]struct {
		event corev1.Event
		last  time.Time
		count int32
	}{
		"series":  {corev1.Event{EventTime: first, Series: &corev1.EventSeries{LastObservedTime: last, Count: 7}}, last.Time, 7},
		"counted": {corev1.Event{LastTimestamp: ago(0), EventTime: first, Count: 3}, testNow, 3},
		"once":    {corev1.Event{EventTime: last}, testNow, 1},
		"neither": {corev1.Event{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: ago(time.Minute)}}, testNow.Add(-time.Minute), 1},
	} {
		t.Run(name, func(t *testing.T) {
			at, count := Occurrences(&tt.event)
			require.Equal(t, tt.last, at)
			require.Equal(t, tt.count, count)
		})
	}
}
