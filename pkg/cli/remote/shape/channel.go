package shape

import (
	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/channel"
)

// Channel is the kind of the version's channels, with what becomes of an accepted event when their
// pods end; empty for Knative's default, and with other deliveries than Sequence.
func Channel(v *v1alpha1.Version) string {
	var k channel.Kind
	template := v.Spec.Entrypoint.ChannelTemplate
	if template != nil {
		k = channel.Of(template.APIVersion, template.Kind, template.Annotations)
	}
	for _, w := range v.Status.Workflows {
		if w.Channel != "" && k.Name != w.Channel {
			k = channel.Named(w.Channel, k.Async)
		}
	}
	switch {
	case v.Delivery() != v1alpha1.DeliverySequence, k.Name == "", template == nil && k.Promise == channel.Default().Promise:
		return ""
	case k.Delegates:
		return k.Name
	case k.Async:
		return k.String() + ", asynchronous: " + k.Promise.String()
	}
	return k.String() + ": " + k.Promise.String()
}
