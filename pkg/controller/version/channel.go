package version

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
)

// unconnected is the first channel of a ready Sequence that drops events; empty if there
// is none. Knative's in-memory dispatcher reports that it serves a subscriber before it
// does, as long as the channel's controller has not seen the channel with that subscriber:
// meanwhile the channel accepts events and sends them to nobody (reconcile and
// patchSubscriberStatus in knative.dev/eventing v0.50.0,
// pkg/reconciler/inmemorychannel/dispatcher). Other channels keep what they accept.
func (r *reconciler) unconnected(ctx context.Context, s *flowsv1.Sequence) (string, error) {
	for _, status := range s.Status.ChannelStatuses {
		known := status.Channel
		if known.Kind != "InMemoryChannel" {
			continue
		}
		channel := &messagingv1.InMemoryChannel{}
		err := r.live.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: known.Name}, channel)
		switch {
		case apierrors.IsNotFound(err): // it is about to be created again
			return known.Name, nil
		case err != nil:
			return "", fmt.Errorf("cannot read the %s %q: %w", known.Kind, known.Name, err)
		case !channel.IsReady():
			return known.Name, nil
		}
	}
	return "", nil
}
