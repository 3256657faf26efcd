package controller

import (
	"encoding/json"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/program"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// A Sequence may be ready though its channel's controller has not seen its
// subscriber: an event would be taken, and lost.
func channelsServed(p *place) {
	channel := &messagingv1.InMemoryChannel{}
	channel.Name, channel.Namespace = "v-greeting-kn-sequence-0", p.namespace
	require.NoError(p, p.Create(p.Context(), channel))
	p.version("v")
	p.until("v", func(v *v1alpha1.Version) bool {
		return v.Status.Phase == v1alpha1.PhaseStarting && len(v.Status.Workflows) == 1 && v.Status.Workflows[0].Message ==
			"Knative Eventing has not connected its channel yet; see: kubectl describe inmemorychannel v-greeting-kn-sequence-0 -n "+p.namespace
	})

	pretend.MarkServed(channel)
	require.NoError(p, p.Status().Update(p.Context(), channel))
	p.started("v")
}

// channel has the version have channels of that kind.
func channel(kind string, annotations map[string]string) func(*v1alpha1.Version) {
	return func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.ChannelTemplate = &v1alpha1.ChannelTemplate{
			APIVersion: messagingv1.SchemeGroupVersion.String(), Kind: kind, Annotations: annotations,
		}
	}
}

// workflowOf reads what the entrypoint of a version is told of its workflow.
func (p *place) workflowOf(name string) program.ConfigWorkflow {
	p.Helper()
	var config program.Config
	require.NoError(p, json.Unmarshal([]byte(p.content(name).Data["entrypoint.json"]), &config))
	require.Len(p, config.Workflows, 1)
	return config.Workflows[0]
}

// Knative reads the annotations of an in-memory channel once: it has them from the first. The
// Sequence finds the channel, and takes it along when it is deleted.
func channelsAnnotated(p *place) {
	annotations := map[string]string{"messaging.knative.dev/async-handler": "true"}
	former := &messagingv1.InMemoryChannel{} // of a Sequence that was deleted; nothing here collects it
	former.Name, former.Namespace = "v-greeting-kn-sequence-0", p.namespace
	former.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: flowsv1.SchemeGroupVersion.String(), Kind: "Sequence", Name: "v-greeting", UID: "gone", Controller: new(true),
	}}
	require.NoError(p, p.Create(p.Context(), former))
	p.version("v", channel("InMemoryChannel", annotations))
	require.Never(p, func() bool {
		return p.Get(p.Context(), client.ObjectKey{Namespace: p.namespace, Name: "v-greeting"}, &flowsv1.Sequence{}) == nil
	}, time.Second, 50*time.Millisecond, "it would find a channel that goes")
	require.NoError(p, p.Delete(p.Context(), former))
	p.until("v", func(v *v1alpha1.Version) bool {
		return len(v.Status.Workflows) == 1 && v.Status.Workflows[0].Message ==
			"Knative Eventing has not connected its channel yet; see: kubectl describe inmemorychannel v-greeting-kn-sequence-0 -n "+p.namespace
	})
	object, key := &messagingv1.InMemoryChannel{}, client.ObjectKey{Namespace: p.namespace, Name: "v-greeting-kn-sequence-0"}
	require.NoError(p, p.Get(p.Context(), key, object))
	require.Equal(p, annotations["messaging.knative.dev/async-handler"], object.Annotations["messaging.knative.dev/async-handler"])

	pretend.MarkServed(object)
	require.NoError(p, p.Status().Update(p.Context(), object))
	v := p.started("v")
	require.Equal(p, "InMemoryChannel", v.Status.Workflows[0].Channel)
	w := p.workflowOf("v")
	require.Equal(p, "InMemoryChannel", w.Channel)
	require.True(p, w.ChannelAsync)
	require.NoError(p, p.Get(p.Context(), key, object))
	sequence := &flowsv1.Sequence{}
	require.NoError(p, p.Get(p.Context(), client.ObjectKey{Namespace: p.namespace, Name: "v-greeting"}, sequence))
	require.Equal(p, sequence.UID, metav1.GetControllerOf(object).UID)
	require.Len(p, object.OwnerReferences, 1)
}

// What the cluster has made of a Channel decides what its responses mean.
func channelsBecome(p *place) {
	object := &messagingv1.Channel{}
	object.Name, object.Namespace = "v-greeting-kn-sequence-0", p.namespace
	object.Spec.ChannelTemplate = &messagingv1.ChannelTemplateSpec{
		TypeMeta: metav1.TypeMeta{APIVersion: "messaging.knative.dev/v1beta1", Kind: "KafkaChannel"},
	}
	require.NoError(p, p.Create(p.Context(), object))
	object.Status.Channel = &duckv1.KReference{APIVersion: "messaging.knative.dev/v1beta1", Kind: "KafkaChannel", Name: object.Name}
	object.Status.ObservedGeneration = object.Generation
	object.Status.Conditions = duckv1.Conditions{{Type: "Ready", Status: corev1.ConditionTrue}}
	require.NoError(p, p.Status().Update(p.Context(), object))
	p.version("v", channel("Channel", nil))
	v := p.started("v")
	require.Equal(p, "KafkaChannel", v.Status.Workflows[0].Channel)
	require.Equal(p, "KafkaChannel", p.workflowOf("v").Channel)
	condition := v.Status.Condition(v1alpha1.ConditionWorkflowsReady)
	require.Equal(p, v1alpha1.ReasonChannelLimit, condition.Reason)
	require.Contains(p, condition.Message,
		`workflow "greeting": messages may have 4194304 bytes (max-message-bytes), and a KafkaChannel usually`)
}
