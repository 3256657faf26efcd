package shape

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestTheChannelIsShown(t *testing.T) {
	of := func(status string, template *v1alpha1.ChannelTemplate) *v1alpha1.Version {
		v := &v1alpha1.Version{}
		v.Spec.Entrypoint.ChannelTemplate = template
		v.Status.Workflows = []v1alpha1.WorkflowStatus{{Channel: status}}
		return v
	}
	template := func(kind string, annotations map[string]string) *v1alpha1.ChannelTemplate {
		return &v1alpha1.ChannelTemplate{APIVersion: "messaging.knative.dev/v1", Kind: kind, Annotations: annotations}
	}
	direct := of("", template("KafkaChannel", nil))
	direct.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
	async := map[string]string{"messaging.knative.dev/async-handler": "true"}
	for want, v := range map[string]*v1alpha1.Version{
		"":                                of("InMemoryChannel", nil),
		"KafkaChannel: events are stored": of("KafkaChannel", nil),
		"DiskChannel.example.org: whether events are stored depends on the kind": of("DiskChannel.example.org", template("Channel", nil)),
		"Channel": of("", template("Channel", nil)),
		"InMemoryChannel: events are lost when its pods end":               of("InMemoryChannel", template("InMemoryChannel", nil)),
		"InMemoryChannel, asynchronous: events are lost when its pods end": of("InMemoryChannel", template("InMemoryChannel", async)),
	} {
		require.Equal(t, want, Channel(v))
	}
	require.Empty(t, Channel(direct))
	require.Empty(t, Channel(of("", nil)))
}
