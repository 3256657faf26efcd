package observe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/cold"
)

const gpuResource = corev1.ResourceName("nvidia.com/gpu")

func patient() *Patience {
	return &Patience{Resource: gpuResource, Count: 1, Selector: map[string]string{"gpu": "yes"}, StartTimeout: 20 * time.Minute}
}

// unscheduled is a pod for which there has been no machine for so long.
func unscheduled(age time.Duration) corev1.Pod {
	return testPod(func(p *corev1.Pod) {
		p.Spec.NodeName, p.CreationTimestamp = "", ago(age)
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
			LastTransitionTime: ago(age), Message: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}}
	})
}

// scheduled is a pod that has had a machine for so long.
func scheduled(age time.Duration, isReady corev1.ConditionStatus) corev1.Pod {
	return testPod(func(p *corev1.Pod) {
		p.Name, p.UID, p.CreationTimestamp = "q", "q", ago(time.Hour)
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: ago(age)},
			{Type: corev1.PodReady, Status: isReady}}
	})
}

// over is a pod that its machine has refused, or evicted: Kubernetes keeps it as it was.
func over(pod corev1.Pod) corev1.Pod {
	pod.Name, pod.UID = "over", "over"
	pod.Status.Phase, pod.Status.Reason, pod.Status.Message = corev1.PodFailed, "UnexpectedAdmissionError", "no GPU"
	return pod
}

func normal(reason, message string, age time.Duration) corev1.Event {
	return corev1.Event{Type: corev1.EventTypeNormal, Reason: reason, Message: message, LastTimestamp: ago(age)}
}

const (
	since     = "waiting for a machine with nvidia.com/gpu, since 1970-01-12T13:43:40Z"
	noMachine = "its pod cannot be scheduled on any node of the cluster: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu; " +
		"see: kubectl describe nodes"
)

func TestANodeWaitsForAMachine(t *testing.T) {
	three := unscheduled(3 * time.Minute)
	for _, tt := range []struct {
		name            string
		pods            []corev1.Pod
		events          []corev1.Event
		impatient       bool
		reason, message string
	}{
		{"nobody adds one", []corev1.Pod{three}, nil, false, v1alpha1.ReasonWaitingForNode,
			since + "; no autoscaler has reported that it adds one: " + noMachine},
		{"Knative does not wait", []corev1.Pod{three},
			[]corev1.Event{normal("TriggeredScaleUp", "pod triggered scale-up: [{pool 0->1 (max: 3)}]", 0)}, true, v1alpha1.ReasonWaitingForNode,
			since + "; the cluster's autoscaler adds one: TriggeredScaleUp: pod triggered scale-up: [{pool 0->1 (max: 3)}]; " +
				"Knative marks its Revision as failed meanwhile, and gives it up in the end; to have it wait: " +
				`kubectl patch configmap config-deployment -n knative-serving --type merge -p '{"data":{"pod-is-always-schedulable":"true"}}'`},
		{"Karpenter adds one", []corev1.Pod{three}, []corev1.Event{
			normal("NotTriggerScaleUp", "pod didn't trigger scale-up", 2*time.Minute),
			normal("Nominated", "Pod should schedule on: nodeclaim/g-1", 0),
		}, false, v1alpha1.ReasonWaitingForNode,
			since + "; the cluster's autoscaler adds one: Nominated: Pod should schedule on: nodeclaim/g-1"},
		{"the autoscaler adds none", []corev1.Pod{three}, []corev1.Event{
			normal("TriggeredScaleUp", "pod triggered scale-up", 2*time.Minute),
			normal("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 Insufficient nvidia.com/gpu", 0), normal("Scheduled", "", 0),
		}, false, v1alpha1.ReasonUnschedulable,
			since + "; the cluster's autoscaler adds none: NotTriggerScaleUp: pod didn't trigger scale-up: 1 Insufficient nvidia.com/gpu"},
		{"the autoscaler has just added one", []corev1.Pod{three}, []corev1.Event{
			normal("TriggeredScaleUp", "pod triggered scale-up", 30*time.Second), normal("NotTriggerScaleUp", "it cannot add another", 0),
		}, false, v1alpha1.ReasonWaitingForNode, since + "; the cluster's autoscaler adds one: TriggeredScaleUp: pod triggered scale-up"},
		{"the autoscaler has just added one, in another order", []corev1.Pod{three}, []corev1.Event{
			normal("NotTriggerScaleUp", "it cannot add another", 0), normal("TriggeredScaleUp", "pod triggered scale-up", 30*time.Second),
		}, false, v1alpha1.ReasonWaitingForNode, since + "; the cluster's autoscaler adds one: TriggeredScaleUp: pod triggered scale-up"},
		{"for too long", []corev1.Pod{unscheduled(21 * time.Minute)}, nil, false, v1alpha1.ReasonUnschedulable,
			"waiting for a machine with nvidia.com/gpu, since 1970-01-12T13:25:40Z, for longer than its start timeout, 20m0s: " + noMachine},
		{"another pod is ready", []corev1.Pod{three, scheduled(time.Minute, corev1.ConditionTrue)}, nil, false, "", ""},
		{"a pod that is being deleted", []corev1.Pod{func() corev1.Pod {
			p := unscheduled(time.Minute)
			p.DeletionTimestamp = new(ago(0))
			return p
		}()}, nil, false, "", ""},
		{"a pod that has ended", []corev1.Pod{over(three)}, nil, false, "", ""},
		{"a pod after one that has ended", []corev1.Pod{over(unscheduled(time.Hour)), three}, nil, false, v1alpha1.ReasonWaitingForNode,
			since + "; no autoscaler has reported that it adds one: " + noMachine},
		{"no pod", nil, nil, false, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := testInput()
			in.Impatient, in.Events = tt.impatient, map[types.UID][]corev1.Event{"p": tt.events}
			requireCause(t, tt.reason, tt.message, in.waiting(Node{Pods: tt.pods, Patience: patient()}))
			require.Nil(t, in.waiting(Node{Pods: tt.pods}), "the node is not patient")
		})
	}
}

func TestWhatAutoscalersReportMayBeUnreadable(t *testing.T) {
	in := testInput()
	in.Unread = true
	requireCause(t, v1alpha1.ReasonWaitingForNode, since+"; what autoscalers report about it cannot be read: "+noMachine,
		in.waiting(Node{Pods: []corev1.Pod{unscheduled(3 * time.Minute)}, Patience: patient()}))
}

func TestAVersionWaitsForAMachine(t *testing.T) {
	v, in := testVersion(), testInput()
	in.Nodes = map[string]Node{"etl": {Service: testService(configurationFailed), Revision: testRevision(func(s *servingv1.RevisionStatus) {
		s.MarkResourcesAvailableFalse("Unschedulable", "0/1 nodes are available")
	}), Pods: []corev1.Pod{unscheduled(3 * time.Minute)}, Patience: patient()}}
	Mark(v, in)
	v.MarkConfigReady()
	v.FinishStatus()
	for _, name := range []string{v1alpha1.ConditionNodesReady, v1alpha1.ConditionReady} {
		c := v.Status.Condition(name)
		require.Equal(t, metav1.ConditionUnknown, c.Status)
		require.Equal(t, v1alpha1.ReasonWaitingForNode, c.Reason)
		require.Contains(t, c.Message, `node "etl": `+since)
	}
	_, failing := v.FailedSince()
	require.False(t, failing)

	// A node that was ready, and is scaled up from zero, stays so.
	in.Nodes["etl"] = Node{Service: testService(ready), Pods: []corev1.Pod{unscheduled(3 * time.Minute)}, Patience: patient()}
	Mark(v, in)
	v.FinishStatus()
	require.True(t, v.Status.Nodes[0].Ready)
	require.Equal(t, v1alpha1.ReasonWaitingForNode, v.Status.Nodes[0].Reason)
	c := v.Status.Condition(v1alpha1.ConditionNodesReady)
	require.Equal(t, metav1.ConditionTrue, c.Status)
	require.Equal(t, v1alpha1.ReasonWaitingForNode, c.Reason)
}

func TestASlowNodeHasItsOwnStartTimeout(t *testing.T) {
	slow := func(age time.Duration) Node {
		return Node{Service: testService(), Revision: testRevision(), Patience: patient(),
			Pods: []corev1.Pod{testPod(container(corev1.ContainerStatus{State: running(age)}))}}
	}
	require.Nil(t, testInput().nodeCause(slow(19*time.Minute)))
	require.Equal(t, "its container has been running for more than 20m0s and is not ready: it may still be in init",
		testInput().nodeCause(slow(21*time.Minute)).Message)
}

func TestColdNodes(t *testing.T) {
	v := testVersion()
	for _, tt := range []struct {
		name string
		pods []corev1.Pod
		want []cold.Node
	}{
		{"no pod: it is asleep", nil, nil},
		{"a pod without a machine", []corev1.Pod{unscheduled(time.Minute)},
			[]cold.Node{{Node: "etl", Resource: "nvidia.com/gpu", Since: ago(time.Minute).UTC()}}},
		{"a pod that has had no machine for longer than its start timeout", []corev1.Pod{unscheduled(time.Hour)},
			[]cold.Node{{Node: "etl", Resource: "nvidia.com/gpu", Since: ago(time.Hour).UTC()}}},
		{"a pod that starts", []corev1.Pod{unscheduled(2 * time.Minute), scheduled(time.Minute, corev1.ConditionFalse)},
			[]cold.Node{{Node: "etl", Resource: "nvidia.com/gpu", Since: ago(time.Minute).UTC(), Scheduled: true}}},
		{"a pod that has started for too long", []corev1.Pod{scheduled(time.Hour, corev1.ConditionFalse)}, nil},
		{"a pod without a machine, after one that has ended",
			[]corev1.Pod{over(scheduled(24*time.Hour, corev1.ConditionFalse)), unscheduled(time.Minute)},
			[]cold.Node{{Node: "etl", Resource: "nvidia.com/gpu", Since: ago(time.Minute).UTC()}}},
		{"a pod that has ended", []corev1.Pod{over(scheduled(time.Minute, corev1.ConditionFalse))}, nil},
		{"a pod that is ready", []corev1.Pod{unscheduled(2 * time.Minute), scheduled(time.Minute, corev1.ConditionTrue)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := testInput()
			in.Nodes = map[string]Node{"etl": {Pods: tt.pods, Patience: patient()}}
			nodes, due := Cold(v, in)
			require.Equal(t, tt.want, nodes)
			starts := len(nodes) > 0 && nodes[0].Scheduled
			if require.Equal(t, starts, due > 0); starts {
				require.Equal(t, 20*time.Minute-testNow.Sub(nodes[0].Since), due)
				in.Now = testNow.Add(due)
				nodes, _ = Cold(v, in)
				require.Nil(t, nodes)
			}
			in.Nodes = map[string]Node{"etl": {Pods: tt.pods}}
			nodes, _ = Cold(v, in)
			require.Nil(t, nodes, "it is not patient")
		})
	}
}

func TestARevisionThatKnativeHasGivenUp(t *testing.T) {
	node := failed(func(s *servingv1.RevisionStatus) {
		s.MarkResourcesAvailableFalse("ProgressDeadlineExceeded", "Initial scale was never achieved")
	})
	node.Patience = patient()
	v, in := testVersion(), testInput()
	require.False(t, GivenUp(v, "etl", node), "nothing says that there was no machine")
	v.MarkNodeNotReady("etl", v1alpha1.ReasonWaitingForNode, "waits")
	require.True(t, GivenUp(v, "etl", node))
	in.Nodes = map[string]Node{"etl": node}
	for range 2 { // also with the reason that it has itself
		requireCause(t, v1alpha1.ReasonUnschedulable, "Knative has given up its Revision, because there was not a machine with nvidia.com/gpu "+
			"within 20m0s; a new one is made once there is, or now: kn krt stop v -n ns && kn krt start v -n ns", in.node(v, "etl"))
		v.MarkNodeNotReady("etl", v1alpha1.ReasonUnschedulable, "")
	}
	// Until Knative says what has become of the Revision, the state stays.
	v.MarkNodeNotReady("etl", v1alpha1.ReasonWaitingForNode, "waits")
	unclear := Node{Service: testService(), Revision: testRevision(), Patience: patient()}
	in.Nodes = map[string]Node{"etl": unclear}
	requireCause(t, v1alpha1.ReasonWaitingForNode, "waits", in.node(v, "etl"))
	require.False(t, GivenUp(v, "etl", unclear))
	alive, crashed := node, node
	alive.Pods = []corev1.Pod{unscheduled(time.Minute)}
	require.False(t, GivenUp(v, "etl", alive))
	refused := node
	refused.Pods = []corev1.Pod{over(scheduled(time.Minute, corev1.ConditionFalse))}
	require.True(t, GivenUp(v, "etl", refused), "its only pod has ended")
	crashed.Revision = testRevision(func(s *servingv1.RevisionStatus) {
		s.MarkResourcesAvailableFalse("ProgressDeadlineExceeded", "")
		s.MarkContainerHealthyFalse("ExitCode1", "bad")
	})
	require.False(t, GivenUp(v, "etl", crashed))
	crashed.Patience = nil
	require.False(t, GivenUp(v, "etl", crashed))
}

func TestWhatMachinesOffer(t *testing.T) {
	machine := func(name string, gpus int64, change func(*corev1.Node)) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{"gpu": "yes"}}}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		n.Status.Allocatable = corev1.ResourceList{gpuResource: *resource.NewQuantity(gpus, resource.DecimalSI)}
		if change != nil {
			change(&n)
		}
		return n
	}
	on := func(machine string, gpus int64, phase corev1.PodPhase) corev1.Pod {
		p := corev1.Pod{Spec: corev1.PodSpec{NodeName: machine}, Status: corev1.PodStatus{Phase: phase}}
		p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
			gpuResource: *resource.NewQuantity(gpus, resource.DecimalSI)}}}}
		return p
	}
	p := patient()
	offer := func(machines []corev1.Node, pods []corev1.Pod) string { return p.Offer(machines, pods, testNow) }
	one := offer([]corev1.Node{machine("a", 1, nil)}, nil)
	require.Len(t, one, 12)
	require.Equal(t, one, offer([]corev1.Node{machine("a", 1, nil), machine("b", 0, nil)}, []corev1.Pod{on("a", 1, corev1.PodSucceeded)}))
	require.Equal(t, one, p.Offer([]corev1.Node{machine("a", 1, nil)}, nil, testNow.Add(time.Minute)))
	for name, other := range map[string]string{
		"an hour later":   p.Offer([]corev1.Node{machine("a", 1, nil)}, nil, testNow.Add(time.Hour)),
		"another machine": offer([]corev1.Node{machine("c", 1, nil)}, nil),
		"more machines":   offer([]corev1.Node{machine("a", 1, nil), machine("b", 1, nil)}, nil),
		"more GPUs":       offer([]corev1.Node{machine("a", 2, nil)}, nil),
		"one that was not ready meanwhile": offer([]corev1.Node{machine("a", 1, func(n *corev1.Node) {
			n.Status.Conditions[0].LastTransitionTime = metav1.NewTime(time.Unix(1, 0))
		})}, nil),
	} {
		require.NotEmpty(t, other, name)
		require.NotEqual(t, one, other, name)
	}
	for name, none := range map[string]string{
		"in use":        offer([]corev1.Node{machine("a", 1, nil)}, []corev1.Pod{on("a", 1, corev1.PodRunning)}),
		"of no label":   offer([]corev1.Node{machine("a", 1, func(n *corev1.Node) { n.Labels = nil })}, nil),
		"unschedulable": offer([]corev1.Node{machine("a", 1, func(n *corev1.Node) { n.Spec.Unschedulable = true })}, nil),
		"not ready":     offer([]corev1.Node{machine("a", 1, func(n *corev1.Node) { n.Status.Conditions = nil })}, nil),
		"nothing":       offer(nil, nil),
	} {
		require.Empty(t, none, name)
	}
	p.StartTimeout = 3 * time.Hour
	slow := offer([]corev1.Node{machine("a", 1, nil)}, nil)
	require.NotEqual(t, slow, p.Offer([]corev1.Node{machine("a", 1, nil)}, nil, testNow.Add(3*time.Hour)))
	require.Equal(t, slow, p.Offer([]corev1.Node{machine("a", 1, nil)}, nil, testNow.Add(-time.Hour)), "its start timeout is longer")
	p.Count = 2
	require.Equal(t, "a machine with 2 nvidia.com/gpu", p.machine())
	require.Empty(t, offer([]corev1.Node{machine("a", 1, nil), machine("b", 1, nil)}, nil), "a pod runs on one machine")
	p.Resource, p.Count = "", 0
	require.Equal(t, "a machine that can run it", p.machine())
	require.NotEmpty(t, offer([]corev1.Node{machine("a", 0, nil)}, nil))
}
