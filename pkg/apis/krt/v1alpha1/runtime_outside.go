package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MarkReachable reports that the Gateway of the settings accepts the routes to the published version.
func (r *Runtime) MarkReachable(message string) {
	r.markReachable(metav1.ConditionTrue, ReasonAccepted, message)
}

// MarkUnreachable reports why it does not. [ReasonGatewayPending] is work in progress, any other
// reason needs a person. The version stays published.
func (r *Runtime) MarkUnreachable(reason, message string) {
	status := metav1.ConditionFalse
	if reason == ReasonGatewayPending {
		status = metav1.ConditionUnknown
	}
	r.markReachable(status, reason, message)
}

// MarkNoGateway removes Reachable: the settings name no Gateway, or no version is published.
func (r *Runtime) MarkNoGateway() {
	meta.RemoveStatusCondition(&r.Status.Conditions, ConditionReachable)
}

// IsReachable reports whether Reachable is True.
func (r *Runtime) IsReachable() bool {
	return meta.IsStatusConditionTrue(r.Status.Conditions, ConditionReachable)
}

func (r *Runtime) markReachable(status metav1.ConditionStatus, reason, message string) {
	setCondition(&r.Status.Conditions, metav1.Condition{
		Type: ConditionReachable, Status: status, Reason: reason, Message: message, ObservedGeneration: r.Status.ObservedGeneration,
	})
}
