package observe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	eventingduckv1 "knative.dev/eventing/pkg/apis/duck/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const setUp = "its Sequence is being set up"

// sequence is a Sequence of an age whose status is changed.
func sequence(age time.Duration, change func(*flowsv1.SequenceStatus)) *flowsv1.Sequence {
	s := &flowsv1.Sequence{ObjectMeta: metav1.ObjectMeta{Name: "v-flow", Namespace: "ns", Generation: 1, CreationTimestamp: ago(age)}}
	s.Status.ObservedGeneration = 1
	s.Status.InitializeConditions()
	change(&s.Status)
	return s
}

func sequenceIsReady(s *flowsv1.SequenceStatus) {
	s.PropagateChannelStatuses([]*eventingduckv1.Channelable{readyChannel()})
	s.PropagateSubscriptionStatuses([]*messagingv1.Subscription{readySubscription()})
	s.MarkEventPoliciesTrue()
}

func channelFails(s *flowsv1.SequenceStatus) {
	s.ChannelStatuses = []flowsv1.SequenceChannelStatus{{
		Channel:        corev1.ObjectReference{Kind: "KafkaChannel", Name: "v-flow-kn-sequence-0"},
		ReadyCondition: apis.Condition{Status: corev1.ConditionFalse, Message: "topic cannot be created"},
	}}
}

func subscriptionFails(s *flowsv1.SequenceStatus) {
	s.SubscriptionStatuses = []flowsv1.SequenceSubscriptionStatus{{
		Subscription:   corev1.ObjectReference{Name: "v-flow-kn-sequence-0"},
		ReadyCondition: apis.Condition{Status: corev1.ConditionFalse, Message: "no subscriber"},
	}}
}

func unchanged(*flowsv1.SequenceStatus) {}

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

func TestWorkflow(t *testing.T) {
	const waiting, failed, see = v1alpha1.ReasonDeploying, v1alpha1.ReasonSequenceFailed, "; see: kubectl describe sequence v-flow -n ns"
	isReady := sequence(time.Hour, sequenceIsReady)
	refused := &Cause{v1alpha1.ReasonRefused, "denied"}
	for _, tt := range []struct {
		name            string
		nodeReady       bool
		workflow        Workflow
		reason, message string
	}{
		{"nothing yet", true, Workflow{}, waiting, setUp},
		{"ready", true, Workflow{Sequence: isReady}, "", ""},
		{"ready, and its channel drops events", true, Workflow{Sequence: isReady, Unconnected: &Channel{"InMemoryChannel", "c"}}, waiting,
			"Knative Eventing has not connected its channel yet; see: kubectl describe inmemorychannel c -n ns"},
		{"ready, and cannot be written", true, Workflow{Sequence: isReady, Refused: refused}, v1alpha1.ReasonRefused, "denied"},
		{"invalid", true, Workflow{Refused: refused, Invalid: `no rpc "A"; did you mean "B"?`}, v1alpha1.ReasonInvalid,
			`no rpc "A"; did you mean "B"? Fix it in a version with another name, or in this one after stopping it: kn krt stop v -n ns`},
		{"set up", true, Workflow{Sequence: sequence(time.Second, unchanged)}, waiting, setUp},
		{"a channel fails", false, Workflow{Sequence: sequence(time.Second, channelFails)}, failed,
			`its KafkaChannel "v-flow-kn-sequence-0": topic cannot be created` + see},
		{"a subscription waits for its node", false, Workflow{Sequence: sequence(time.Hour, subscriptionFails)}, waiting, setUp},
		{"a subscription fails", true, Workflow{Sequence: sequence(time.Hour, subscriptionFails)}, failed,
			`its Subscription "v-flow-kn-sequence-0": no subscriber` + see},
		{"nothing happens for long", true, Workflow{Sequence: sequence(time.Hour, unchanged)}, failed,
			"its Sequence has not become ready within 2m0s" + see},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := testVersion()
			v.Status.Nodes[0].Ready = tt.nodeReady
			requireCause(t, tt.reason, tt.message, testInput().workflow(v, tt.workflow))
		})
	}
}

func TestMarkWorkflow(t *testing.T) {
	v, in := testVersion(), testInput()
	in.Workflows = map[string]Workflow{"flow": {Sequence: sequence(time.Hour, sequenceIsReady)}}
	Mark(v, in)
	require.Equal(t, v1alpha1.WorkflowStatus{Name: "flow", Ready: true, Address: "http://channel.ns.svc"}, v.Status.Workflows[0])

	in.Eventing = false
	Mark(v, in)
	require.Equal(t, v1alpha1.WorkflowStatus{Name: "flow", Address: "http://channel.ns.svc", Reason: v1alpha1.ReasonEventingMissing,
		Message: "Knative Eventing is not installed; install it (see what is missing: kn krt doctor), or use entrypoint.delivery: Direct",
	}, v.Status.Workflows[0])

	v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
	Mark(v, testInput())
	require.Equal(t, v1alpha1.WorkflowStatus{Name: "flow", Ready: true}, v.Status.Workflows[0], "direct delivery has no Sequence")
}

func TestAddresses(t *testing.T) {
	v := testVersion()
	sequences := map[string]*flowsv1.Sequence{"flow": sequence(time.Hour, sequenceIsReady)}
	require.Equal(t, map[string]string{"flow": "http://channel.ns.svc"}, Addresses(v, sequences, false))
	v.Status.Workflows[0].Address = "http://before"
	require.Empty(t, Addresses(v, nil, false))
	require.Equal(t, map[string]string{"flow": "http://before"}, Addresses(v, nil, true), "it is about to be created again")
}

func TestRestart(t *testing.T) {
	v, in := testVersion(), testInput()
	v.Spec.Workflows = append(v.Spec.Workflows, v1alpha1.Workflow{Name: "second"})
	isReady := Workflow{Sequence: sequence(time.Hour, sequenceIsReady)}
	require.Nil(t, Restart(v, in, map[string]Workflow{"flow": isReady, "second": isReady}))
	requireCause(t, v1alpha1.ReasonDeploying, `workflow "second": `+setUp, Restart(v, in, map[string]Workflow{"flow": isReady}))
	fails := Workflow{Refused: &Cause{v1alpha1.ReasonRefused, "denied"}}
	requireCause(t, v1alpha1.ReasonRefused, `workflow "second": denied`, Restart(v, in, map[string]Workflow{"second": fails}))
}
