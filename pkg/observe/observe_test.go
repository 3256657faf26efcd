package observe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	eventingduckv1 "knative.dev/eventing/pkg/apis/duck/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
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

// testService is a Knative Service that has been looked at, with what marks its conditions.
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
		queue := corev1.ContainerStatus{Name: sidecar, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: ago(time.Second)}}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{queue, c}
	}
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

func TestObserveNode(t *testing.T) {
	failed := func(set apis.ConditionManager) {
		set.MarkFalse(servingv1.ServiceConditionConfigurationsReady, "RevisionFailed", "Revision has failed with s3cr3t")
	}
	const deploying = v1alpha1.ReasonDeploying
	for _, tt := range []struct {
		name    string
		objects Node
		want    v1alpha1.NodeStatus
	}{
		{"nothing yet", Node{}, v1alpha1.NodeStatus{Reason: deploying, Message: unseen}},
		{"not looked at yet", Node{Service: &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Generation: 1, CreationTimestamp: ago(time.Second)}}},
			v1alpha1.NodeStatus{Reason: deploying, Message: "Knative Serving has not looked at its Service yet"}},
		{"not looked at for long", Node{Service: &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Generation: 1, CreationTimestamp: ago(time.Hour)}}},
			v1alpha1.NodeStatus{Reason: v1alpha1.ReasonRevisionFailed, Message: "Knative Serving has not looked at its Service for 2m0s; is its controller running? kn krt doctor"}},
		{"ready, with pods or without", Node{Service: testService(ready), Revision: testRevision()},
			v1alpha1.NodeStatus{Ready: true, Revision: "v-etl-00001", Image: "reg/etl@sha256:1"}},
		{"no pod yet", Node{Service: testService(), Revision: testRevision()},
			v1alpha1.NodeStatus{Reason: deploying, Message: "its pod is being started"}},
		{"its image is looked up", Node{Service: testService(), Revision: testRevision(func(s *servingv1.RevisionStatus) {
			s.MarkContainerHealthyUnknown(servingv1.ReasonResolvingDigests, "")
		})}, v1alpha1.NodeStatus{Reason: deploying, Message: "its image is being looked up"}},
		{"Knative cannot find the image", Node{Service: testService(failed), Revision: testRevision(func(s *servingv1.RevisionStatus) {
			s.MarkContainerHealthyFalse(servingv1.ReasonContainerMissing, `Unable to fetch image "reg/etl:1": failed to resolve image to digest: GET https://reg/v2/: MANIFEST_UNKNOWN`)
		})}, v1alpha1.NodeStatus{Reason: v1alpha1.ReasonImageNotFound,
			Message: "its image cannot be found: GET https://reg/v2/: MANIFEST_UNKNOWN; once the image is there, try again: kn krt stop v -n ns && kn krt start v -n ns"}},
		{"what Knative kept of a crash", Node{Service: testService(failed), Revision: testRevision(func(s *servingv1.RevisionStatus) {
			s.MarkContainerHealthyFalse("ExitCode3", "Container failed with: Traceback\nKeyError: s3cr3t\n")
		})}, v1alpha1.NodeStatus{Reason: v1alpha1.ReasonCrashed,
			Message: "its container ended with exit code 3: KeyError: ***; see its log: kn krt logs v -n ns --node etl"}},
		{"another failure of the revision", Node{Service: testService(failed), Revision: testRevision(func(s *servingv1.RevisionStatus) {
			s.MarkResourcesAvailableFalse("FailedCreate", "quota exceeded")
		})}, v1alpha1.NodeStatus{Reason: v1alpha1.ReasonRevisionFailed, Message: "FailedCreate: quota exceeded; see: kn krt events v -n ns --warnings"}},
		{"no revision is made", Node{Service: testService(failed)},
			v1alpha1.NodeStatus{Reason: v1alpha1.ReasonRevisionFailed, Message: "RevisionFailed: Revision has failed with ***; see: kn krt events v -n ns --warnings"}},
		{"its name is taken", Node{Service: testService(func(set apis.ConditionManager) {
			set.MarkTrue(servingv1.ServiceConditionConfigurationsReady)
			set.MarkFalse(servingv1.ServiceConditionRoutesReady, "NotOwned", `There is an existing placeholder Service "v-etl" that we do not own.`)
		})}, v1alpha1.NodeStatus{Reason: v1alpha1.ReasonNotOwned,
			Message: `There is an existing placeholder Service "v-etl" that we do not own.; see: kn krt events v -n ns --warnings`}},
		{"pods know better", Node{Service: testService(failed), Revision: testRevision(), Pods: []corev1.Pod{
			testPod(container(corev1.ContainerStatus{State: ended(1, "Error", "no model")})),
		}}, v1alpha1.NodeStatus{Reason: v1alpha1.ReasonCrashed, Message: "its container ended with exit code 1: no model; see its log: kn krt logs v -n ns --node etl"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, in := testVersion(), testInput()
			in.Nodes = map[string]Node{"etl": tt.objects}
			Mark(v, in)
			tt.want.Name = "etl"
			require.Equal(t, tt.want, v.Status.Nodes[0])
		})
	}
}

func TestObserveEntrypoint(t *testing.T) {
	deployment := func(s appsv1.DeploymentStatus) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "v-entrypoint", Namespace: "ns", Generation: 2}, Status: s}
		d.Spec.Replicas = new(int32(2))
		return d
	}
	const see = "; see: kubectl describe deployment v-entrypoint -n ns"
	for _, tt := range []struct {
		name            string
		objects         Entrypoint
		status          metav1.ConditionStatus
		reason, message string
	}{
		{"no Deployment yet", Entrypoint{}, metav1.ConditionUnknown, v1alpha1.ReasonDeploying, "it waits for the addresses of the workflows"},
		{"one of two answers", Entrypoint{Deployment: deployment(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1})},
			metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		{"not looked at", Entrypoint{Deployment: deployment(appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2})},
			metav1.ConditionUnknown, v1alpha1.ReasonDeploying, "its pods are being started"},
		{"old pods are replaced", Entrypoint{Deployment: deployment(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 2})},
			metav1.ConditionUnknown, v1alpha1.ReasonDeploying, "its pods are being started"},
		{"its pods crash", Entrypoint{Deployment: deployment(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2}),
			Pods: []corev1.Pod{testPod(container(corev1.ContainerStatus{State: ended(1, "Error", "no key")}))}},
			metav1.ConditionFalse, v1alpha1.ReasonCrashed, "entrypoint: its container ended with exit code 1: no key" + see},
		{"its pods are refused", Entrypoint{Deployment: deployment(appsv1.DeploymentStatus{ObservedGeneration: 2, Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota"}}})},
			metav1.ConditionFalse, v1alpha1.ReasonEntrypointFailed, "entrypoint: FailedCreate: exceeded quota" + see},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, in := testVersion(), testInput()
			in.Entrypoint = tt.objects
			Mark(v, in)
			c := v.Status.Condition(v1alpha1.ConditionEntrypointReady)
			require.Equal(t, []string{string(tt.status), tt.reason, tt.message}, []string{string(c.Status), c.Reason, c.Message})
		})
	}
}

func TestObserveWorkflow(t *testing.T) {
	sequence := func(age time.Duration, change func(*flowsv1.SequenceStatus)) *flowsv1.Sequence {
		q := &flowsv1.Sequence{ObjectMeta: metav1.ObjectMeta{Name: "v-flow", Namespace: "ns", Generation: 1, CreationTimestamp: ago(age)}}
		q.Status.ObservedGeneration = 1
		q.Status.InitializeConditions()
		change(&q.Status)
		return q
	}
	channel := flowsv1.SequenceChannelStatus{Channel: corev1.ObjectReference{Kind: "KafkaChannel", Name: "v-flow-kn-sequence-0"},
		ReadyCondition: apis.Condition{Status: corev1.ConditionFalse, Message: "topic cannot be made"}}
	subscription := flowsv1.SequenceSubscriptionStatus{Subscription: corev1.ObjectReference{Name: "v-flow-kn-sequence-0"},
		ReadyCondition: apis.Condition{Status: corev1.ConditionFalse, Message: "no subscriber"}}
	const see = "; see: kubectl describe sequence v-flow -n ns"
	for _, tt := range []struct {
		name      string
		nodeReady bool
		sequence  *flowsv1.Sequence
		want      v1alpha1.WorkflowStatus
	}{
		{"nothing yet", true, nil, v1alpha1.WorkflowStatus{Reason: v1alpha1.ReasonDeploying, Message: "its Sequence is being set up"}},
		{"ready", true, sequence(time.Hour, func(s *flowsv1.SequenceStatus) {
			s.PropagateChannelStatuses([]*eventingduckv1.Channelable{readyChannel()})
			s.PropagateSubscriptionStatuses([]*messagingv1.Subscription{readySubscription()})
			s.MarkEventPoliciesTrue()
		}), v1alpha1.WorkflowStatus{Ready: true, Address: "http://channel.ns.svc"}},
		{"set up", true, sequence(time.Second, func(*flowsv1.SequenceStatus) {}), v1alpha1.WorkflowStatus{Reason: v1alpha1.ReasonDeploying, Message: "its Sequence is being set up"}},
		{"a channel fails", false, sequence(time.Second, func(s *flowsv1.SequenceStatus) { s.ChannelStatuses = []flowsv1.SequenceChannelStatus{channel} }),
			v1alpha1.WorkflowStatus{Reason: v1alpha1.ReasonSequenceFailed, Message: `its KafkaChannel "v-flow-kn-sequence-0": topic cannot be made` + see}},
		{"a subscription waits for its node", false, sequence(time.Hour, func(s *flowsv1.SequenceStatus) {
			s.SubscriptionStatuses = []flowsv1.SequenceSubscriptionStatus{subscription}
		}), v1alpha1.WorkflowStatus{Reason: v1alpha1.ReasonDeploying, Message: "its Sequence is being set up"}},
		{"a subscription fails", true, sequence(time.Hour, func(s *flowsv1.SequenceStatus) {
			s.SubscriptionStatuses = []flowsv1.SequenceSubscriptionStatus{subscription}
		}), v1alpha1.WorkflowStatus{Reason: v1alpha1.ReasonSequenceFailed, Message: `its Subscription "v-flow-kn-sequence-0": no subscriber` + see}},
		{"nothing happens for long", true, sequence(time.Hour, func(*flowsv1.SequenceStatus) {}),
			v1alpha1.WorkflowStatus{Reason: v1alpha1.ReasonSequenceFailed, Message: "Knative Eventing has not made it ready for 2m0s" + see}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, in := testVersion(), testInput()
			if tt.nodeReady {
				in.Nodes = map[string]Node{"etl": {Service: testService(ready)}}
			}
			in.Workflows = map[string]Workflow{"flow": {Sequence: tt.sequence}}
			Mark(v, in)
			tt.want.Name = "flow"
			require.Equal(t, tt.want, v.Status.Workflows[0])
		})
	}
	t.Run("direct delivery has none", func(t *testing.T) {
		v := testVersion()
		v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
		Mark(v, testInput())
		require.Equal(t, v1alpha1.WorkflowStatus{Name: "flow", Ready: true}, v.Status.Workflows[0])
	})
}

func readyChannel() *eventingduckv1.Channelable {
	c := &eventingduckv1.Channelable{}
	c.Status.Address = &duckv1.Addressable{URL: apis.HTTP("channel.ns.svc")}
	c.Status.Conditions = duckv1.Conditions{{Type: apis.ConditionReady, Status: corev1.ConditionTrue}}
	return c
}

func readySubscription() *messagingv1.Subscription {
	s := &messagingv1.Subscription{}
	s.Status.Conditions = duckv1.Conditions{{Type: apis.ConditionReady, Status: corev1.ConditionTrue}}
	return s
}
