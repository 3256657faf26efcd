package observe

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Entrypoint is what the cluster has of an entrypoint.
type Entrypoint struct {
	// Deployment is nil if it does not exist yet.
	Deployment *appsv1.Deployment
	// Pods are needed only while the Deployment is not ready.
	Pods []corev1.Pod
	// URL is the Service's.
	URL string
	// Addresses are those of the Sequences, by workflow.
	Addresses map[string]string
	// Withheld: the start has failed, and not because of the entrypoint. It has no
	// Deployment, and so no endpoints, until all else is ready.
	Withheld bool
	// Applied: the Deployment was written after it was read, so its status is outdated.
	Applied bool
	// Refused is why one of its objects cannot be written; nil if all can.
	Refused *Cause
	// Invalid is what is wrong with the version's protos; empty if nothing is.
	Invalid string
}

// entrypoint returns why the entrypoint is not ready, nil if it is.
func (in Input) entrypoint(v *v1alpha1.Version) *Cause {
	e := in.Entrypoint
	switch {
	case e.Invalid != "":
		return invalid(v, e.Invalid)
	case e.Refused != nil:
		return e.Refused
	case e.Deployment == nil || e.Withheld || e.Applied:
		return inProgress(in.entrypointProgress(v))
	case DeploymentReady(e.Deployment):
		return nil
	}
	c := in.podsCause(e.Pods, v1alpha1.ReasonEntrypointFailed)
	if c == nil {
		c = deploymentCause(e.Deployment)
	}
	if c == nil {
		return inProgress(in.entrypointProgress(v))
	}
	return &Cause{c.Reason, fmt.Sprintf("entrypoint: %s; see: kubectl describe deployment %s -n %s",
		c.Message, e.Deployment.Name, v.Namespace)}
}

// deploymentCause is what a Deployment itself reports as a failure, nil for nothing.
func deploymentCause(d *appsv1.Deployment) *Cause {
	for _, c := range d.Status.Conditions {
		refused := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		if refused || c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse {
			return &Cause{v1alpha1.ReasonEntrypointFailed, fmt.Sprintf("%s: %s", c.Reason, shorten(c.Message))}
		}
	}
	return nil
}

// entrypointProgress is what an entrypoint that has not failed waits for.
func (in Input) entrypointProgress(v *v1alpha1.Version) string {
	e := in.Entrypoint
	switch {
	case e.Withheld:
		return "it is withheld until everything else is ready"
	case e.Deployment == nil && !in.Config.Ready:
		return "it is waiting for the config"
	case e.Deployment == nil && v.Delivery() == v1alpha1.DeliverySequence && len(e.Addresses) < len(v.Spec.Workflows):
		return "it is waiting for the addresses of the workflows"
	default:
		return "its pods are starting"
	}
}

// DeploymentReady reports whether all pods are of the Deployment as it is now specified,
// and at least one of them is ready: one is enough to serve.
func DeploymentReady(d *appsv1.Deployment) bool {
	s := d.Status
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas >= wanted && s.Replicas == s.UpdatedReplicas && s.AvailableReplicas > 0
}
