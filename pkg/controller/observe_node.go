package controller

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// nodeObjects are what the cluster has of a node.
type nodeObjects struct {
	service  *servingv1.Service  // nil if it is not there yet
	revision *servingv1.Revision // the latest that was made
	pods     []corev1.Pod        // the revision's; read only while the node is not ready
}

// unseen is said of a Service from before it is written until Knative has seen
// it: to tell those moments apart would only be more writes of the status.
const unseen = "Knative Serving has not looked at its Service yet"

// observeNode marks in v what became of a node. That its pods are gone means
// nothing: a node that was ready once may be at zero.
func (w view) observeNode(v *v1alpha1.Version, name string, o nodeObjects) {
	if o.service == nil {
		v.MarkNodeDeploying(name, unseen)
		return
	}
	w.other = v1alpha1.ReasonRevisionFailed
	status := o.service.Status
	switch {
	case o.service.IsReady():
		v.MarkNodeReady(name, status.LatestReadyRevisionName, digest(o.revision))
	case status.ObservedGeneration != o.service.Generation:
		w.unobserved(v, name, o.service)
	default:
		if c := w.nodeCause(o); c != nil {
			v.MarkNodeNotReady(name, c.reason, c.message+nodeHint(v, name, c.reason))
			return
		}
		v.MarkNodeDeploying(name, deploying(o.revision))
	}
}

// unobserved waits for Knative to look at the Service, but not in silence for ever.
func (w view) unobserved(v *v1alpha1.Version, name string, s *servingv1.Service) {
	if s.Status.ObservedGeneration == 0 && w.now.Sub(s.CreationTimestamp.Time) > w.patience {
		v.MarkNodeNotReady(name, v1alpha1.ReasonRevisionFailed, fmt.Sprintf(
			"Knative Serving has not looked at its Service for %s; is its controller running? kn krt doctor", w.patience))
		return
	}
	v.MarkNodeDeploying(name, unseen)
}

// nodeCause is why a node is not ready: what its pods say, for they are nearest to
// it, else what Knative kept of pods that are gone, else what Knative says itself.
func (w view) nodeCause(o nodeObjects) *cause {
	if c := w.podsCause(o.pods); c != nil {
		return c
	}
	if o.revision != nil {
		for _, t := range []apis.ConditionType{servingv1.RevisionConditionContainerHealthy, servingv1.RevisionConditionResourcesAvailable} {
			if c := o.revision.Status.GetCondition(t); c.IsFalse() {
				return w.revisionCause(c)
			}
		}
		if !o.revision.IsReady() {
			return nil // what the Service says of it is the same, and may be older
		}
	}
	for _, t := range []apis.ConditionType{servingv1.ServiceConditionConfigurationsReady, servingv1.ServiceConditionRoutesReady} {
		c := o.service.Status.GetCondition(t)
		switch {
		case !c.IsFalse():
		case c.Reason == servingv1.ReasonNotOwned:
			return &cause{v1alpha1.ReasonNotOwned, w.mask.quote(c.Message)}
		default:
			return &cause{w.other, fmt.Sprintf("%s: %s", c.Reason, w.mask.quote(c.Message))}
		}
	}
	return nil
}

func (w view) revisionCause(c *apis.Condition) *cause {
	switch {
	case c.Reason == servingv1.ReasonContainerMissing:
		return &cause{v1alpha1.ReasonImageNotFound, "its image cannot be found: " + cut(w.mask.hide(strings.TrimSpace(resolving(c.Message))))}
	case isPull(c.Reason):
		return &cause{v1alpha1.ReasonImageNotFound, "its image cannot be pulled: " + cut(c.Message)}
	case strings.HasPrefix(c.Reason, "ExitCode"):
		said := w.mask.quote(strings.TrimPrefix(c.Message, servingv1.RevisionContainerExitingMessage("")))
		return &cause{v1alpha1.ReasonCrashed, fmt.Sprintf("its container ended with exit code %s: %s", strings.TrimPrefix(c.Reason, "ExitCode"), said)}
	case c.Reason == corev1.PodReasonUnschedulable:
		return &cause{v1alpha1.ReasonUnschedulable, unschedulable(c.Message)}
	default:
		return &cause{w.other, fmt.Sprintf("%s: %s", c.Reason, w.mask.quote(c.Message))}
	}
}

// resolving leaves out how Knative introduces what the registry said.
func resolving(message string) string {
	if _, said, found := strings.Cut(message, "failed to resolve image to digest: "); found {
		return said
	}
	return message
}

// nodeHint is what to type next, by the reason.
func nodeHint(v *v1alpha1.Version, node, reason string) string {
	switch reason {
	case v1alpha1.ReasonCrashed, v1alpha1.ReasonNotAnswering:
		return "; see its log: " + command(v, "logs", "--node", node)
	case v1alpha1.ReasonImageNotFound:
		return fmt.Sprintf("; once the image is there, try again: %s && %s", command(v, "stop"), command(v, "start"))
	case v1alpha1.ReasonUnschedulable:
		return ""
	default:
		return "; see: " + command(v, "events", "--warnings")
	}
}

// command is what to type next about a version.
func command(v *v1alpha1.Version, verb string, args ...string) string {
	return strings.Join(append([]string{"kn krt", verb, v.Name, "-n", v.Namespace}, args...), " ")
}

func deploying(r *servingv1.Revision) string {
	switch {
	case r == nil:
		return "its revision is being made"
	case r.Status.GetCondition(servingv1.RevisionConditionContainerHealthy).GetReason() == servingv1.ReasonResolvingDigests:
		return "its image is being looked up"
	default:
		return "its pod is being started"
	}
}

// digest is the image that a revision runs, as Knative has resolved it.
func digest(r *servingv1.Revision) string {
	if r == nil || len(r.Status.ContainerStatuses) == 0 {
		return ""
	}
	return r.Status.ContainerStatuses[0].ImageDigest
}
