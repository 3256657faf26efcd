package controller

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// observeWorkflow marks in v what became of the Sequence of a workflow; nil if it is not there yet.
func (w view) observeWorkflow(v *v1alpha1.Version, name string, s *flowsv1.Sequence) {
	switch {
	case v.Delivery() == v1alpha1.DeliveryDirect:
		v.MarkWorkflowReady(name, "")
	case s == nil:
		v.MarkWorkflowDeploying(name, "its Sequence is being set up")
	case sequenceReady(s):
		v.MarkWorkflowReady(name, sequenceAddress(s))
	default:
		if c := w.sequenceCause(v, s); c != nil {
			v.MarkWorkflowNotReady(name, c.reason, c.message+"; see: kubectl describe sequence "+s.Name+" -n "+s.Namespace)
			return
		}
		v.MarkWorkflowDeploying(name, "its Sequence is being set up")
	}
}

func sequenceReady(s *flowsv1.Sequence) bool {
	return s != nil && s.Status.ObservedGeneration == s.Generation && s.Status.IsReady() && sequenceAddress(s) != ""
}

// sequenceAddress is where a Sequence takes events, empty while that is not known.
func sequenceAddress(s *flowsv1.Sequence) string {
	if s == nil || s.Status.Address.URL == nil {
		return ""
	}
	return s.Status.Address.URL.String()
}

// sequenceCause is why a Sequence is not ready. Eventing itself never says more
// than that it is not ready yet, so that channels speak first, then time does. A
// subscription is not ready while a node is not: its word counts only after that.
func (w view) sequenceCause(v *v1alpha1.Version, s *flowsv1.Sequence) *cause {
	for _, channel := range s.Status.ChannelStatuses {
		if c := channel.ReadyCondition; c.IsFalse() && c.Message != "" {
			return &cause{v1alpha1.ReasonSequenceFailed, fmt.Sprintf("its %s %q: %s", channel.Channel.Kind, channel.Channel.Name, cut(c.Message))}
		}
	}
	if !nodesReady(v) || w.now.Sub(s.CreationTimestamp.Time) <= w.patience {
		return nil
	}
	for _, subscription := range s.Status.SubscriptionStatuses {
		if c := subscription.ReadyCondition; c.IsFalse() && c.Message != "" {
			return &cause{v1alpha1.ReasonSequenceFailed, fmt.Sprintf("its Subscription %q: %s", subscription.Subscription.Name, cut(c.Message))}
		}
	}
	return &cause{v1alpha1.ReasonSequenceFailed, fmt.Sprintf("Knative Eventing has not made it ready for %s", w.patience)}
}

func nodesReady(v *v1alpha1.Version) bool {
	for _, n := range v.Status.Nodes {
		if !n.Ready {
			return false
		}
	}
	return true
}

// entrypointObjects are what the cluster has of the entrypoint.
type entrypointObjects struct {
	deployment *appsv1.Deployment
	pods       []corev1.Pod // read only while it is not ready
	url        string       // of the Service
	// waits is why there is no Deployment.
	waits string
}

// observeEntrypoint marks in v what became of the entrypoint.
func (w view) observeEntrypoint(v *v1alpha1.Version, o entrypointObjects) {
	d := o.deployment
	switch {
	case d == nil:
		v.MarkEntrypointDeploying(o.waits)
		return
	case deploymentReady(d):
		v.MarkEntrypointReady(o.url)
		return
	}
	w.other = v1alpha1.ReasonEntrypointFailed
	if c := w.podsCause(o.pods); c != nil {
		v.MarkEntrypointNotReady(c.reason, fmt.Sprintf("entrypoint: %s; see: kubectl describe deployment %s -n %s", c.message, d.Name, d.Namespace))
		return
	}
	for _, c := range d.Status.Conditions {
		refused := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		if refused || c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse {
			v.MarkEntrypointNotReady(v1alpha1.ReasonEntrypointFailed, fmt.Sprintf("entrypoint: %s: %s; see: kubectl describe deployment %s -n %s",
				c.Reason, cut(c.Message), d.Name, d.Namespace))
			return
		}
	}
	v.MarkEntrypointDeploying("its pods are being started")
}

// deploymentReady reports whether pods answer, all of them as the Deployment now
// says. How many do is not asked: one is enough to be called.
func deploymentReady(d *appsv1.Deployment) bool {
	s := d.Status
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas >= wanted && s.Replicas == s.UpdatedReplicas && s.AvailableReplicas > 0
}
