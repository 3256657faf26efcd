package controller

import (
	"github.com/stretchr/testify/require"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// A Sequence may be ready though its channel's controller has not seen its
// subscriber: an event would be taken, and lost.
func channelsServed(p *place) {
	channel := &messagingv1.InMemoryChannel{}
	channel.Name, channel.Namespace = "v-greeting-kn-sequence-0", p.namespace
	require.NoError(p, p.Create(p.Context(), channel))
	p.version("v")
	v := p.until("v", func(v *v1alpha1.Version) bool {
		return len(v.Status.Workflows) == 1 && v.Status.Workflows[0].Message ==
			"Knative Eventing has not connected its channel yet; see: kubectl describe inmemorychannel v-greeting-kn-sequence-0 -n "+p.namespace
	})
	require.Equal(p, v1alpha1.PhaseStarting, v.Status.Phase)

	pretend.MarkServed(channel)
	require.NoError(p, p.Status().Update(p.Context(), channel))
	p.started("v")
}
