package observe

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Workflow marks in v what became of the Sequence of a workflow; nil if it is not there yet.
func (w View) Workflow(v *v1alpha1.Version, name string, s *flowsv1.Sequence) {
	switch {
	case v.Delivery() == v1alpha1.DeliveryDirect:
		v.MarkWorkflowReady(name, "")
	case s == nil:
		v.MarkWorkflowDeploying(name, "its Sequence is being set up")
	case SequenceReady(s):
		v.MarkWorkflowReady(name, SequenceAddress(s))
	default:
		if c := w.sequenceCause(v, s); c != nil {
			v.MarkWorkflowNotReady(name, c.Reason, c.Message+"; see: kubectl describe sequence "+s.Name+" -n "+s.Namespace)
			return
		}
		v.MarkWorkflowDeploying(name, "its Sequence is being set up")
	}
}

func SequenceReady(s *flowsv1.Sequence) bool {
	return s != nil && s.Status.ObservedGeneration == s.Generation && s.Status.IsReady() && SequenceAddress(s) != ""
}

// SequenceAddress is where a Sequence takes events, empty while that is not known.
func SequenceAddress(s *flowsv1.Sequence) string {
	if s == nil || s.Status.Address.URL == nil {
		return ""
	}
	return s.Status.Address.URL.String()
}

// sequenceCause is why a Sequence is not ready. Eventing itself never says more
// than that it is not ready yet, so that channels speak first, then time does. A
// subscription is not ready while a node is not: its word counts only after that.
func (w View) sequenceCause(v *v1alpha1.Version, s *flowsv1.Sequence) *Cause {
	for _, channel := range s.Status.ChannelStatuses {
		if c := channel.ReadyCondition; c.IsFalse() && c.Message != "" {
			return &Cause{v1alpha1.ReasonSequenceFailed, fmt.Sprintf("its %s %q: %s", channel.Channel.Kind, channel.Channel.Name, cut(c.Message))}
		}
	}
	if !nodesReady(v) || w.Now.Sub(s.CreationTimestamp.Time) <= w.Patience {
		return nil
	}
	for _, subscription := range s.Status.SubscriptionStatuses {
		if c := subscription.ReadyCondition; c.IsFalse() && c.Message != "" {
			return &Cause{v1alpha1.ReasonSequenceFailed, fmt.Sprintf("its Subscription %q: %s", subscription.Subscription.Name, cut(c.Message))}
		}
	}
	return &Cause{v1alpha1.ReasonSequenceFailed, fmt.Sprintf("Knative Eventing has not made it ready for %s", w.Patience)}
}

func nodesReady(v *v1alpha1.Version) bool {
	for _, n := range v.Status.Nodes {
		if !n.Ready {
			return false
		}
	}
	return true
}

// Entrypoint are what the cluster has of the entrypoint.
type Entrypoint struct {
	Deployment *appsv1.Deployment
	Pods       []corev1.Pod // read only while it is not ready
	URL        string       // of the Service
	// Waits is why there is no Deployment.
	Waits string
}

// Entrypoint marks in v what became of the entrypoint.
func (w View) Entrypoint(v *v1alpha1.Version, o Entrypoint) {
	d := o.Deployment
	switch {
	case d == nil:
		v.MarkEntrypointDeploying(o.Waits)
		return
	case DeploymentReady(d):
		v.MarkEntrypointReady(o.URL)
		return
	}
	w.other = v1alpha1.ReasonEntrypointFailed
	if c := w.podsCause(o.Pods); c != nil {
		v.MarkEntrypointNotReady(c.Reason, fmt.Sprintf("entrypoint: %s; see: kubectl describe deployment %s -n %s", c.Message, d.Name, d.Namespace))
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

// DeploymentReady reports whether pods answer, all of them as the Deployment now
// says. How many do is not asked: one is enough to be called.
func DeploymentReady(d *appsv1.Deployment) bool {
	s := d.Status
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas >= wanted && s.Replicas == s.UpdatedReplicas && s.AvailableReplicas > 0
}
