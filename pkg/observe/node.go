package observe

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Node are what the cluster has of a node.
type Node struct {
	Service  *servingv1.Service  // nil if it is not there yet
	Revision *servingv1.Revision // the latest that was made
	Pods     []corev1.Pod        // the revision's; read only while the node is not ready
}

// Unseen is said of a Service from before it is written until Knative has seen
// it: to tell those moments apart would only be more writes of the status.
const Unseen = "Knative Serving has not looked at its Service yet"

// Node marks in v what became of a node. That its pods are gone means
// nothing: a node that was ready once may be at zero.
func (w View) Node(v *v1alpha1.Version, name string, o Node) {
	if o.Service == nil {
		v.MarkNodeDeploying(name, Unseen)
		return
	}
	w.other = v1alpha1.ReasonRevisionFailed
	status := o.Service.Status
	switch {
	case o.Service.IsReady():
		v.MarkNodeReady(name, status.LatestReadyRevisionName, digest(o.Revision))
	case status.ObservedGeneration != o.Service.Generation:
		w.unobserved(v, name, o.Service)
	default:
		if c := w.nodeCause(o); c != nil {
			v.MarkNodeNotReady(name, c.Reason, c.Message+nodeHint(v, name, c.Reason))
			return
		}
		v.MarkNodeDeploying(name, deploying(o.Revision))
	}
}

// unobserved waits for Knative to look at the Service, but not in silence for ever.
func (w View) unobserved(v *v1alpha1.Version, name string, s *servingv1.Service) {
	if s.Status.ObservedGeneration == 0 && w.Now.Sub(s.CreationTimestamp.Time) > w.Patience {
		v.MarkNodeNotReady(name, v1alpha1.ReasonRevisionFailed, fmt.Sprintf(
			"Knative Serving has not looked at its Service for %s; is its controller running? kn krt doctor", w.Patience))
		return
	}
	v.MarkNodeDeploying(name, Unseen)
}

// nodeCause is why a node is not ready: what its pods say, for they are nearest to
// it, else what Knative kept of pods that are gone, else what Knative says itself.
func (w View) nodeCause(o Node) *Cause {
	if c := w.podsCause(o.Pods); c != nil {
		return c
	}
	if o.Revision != nil {
		for _, t := range []apis.ConditionType{servingv1.RevisionConditionContainerHealthy, servingv1.RevisionConditionResourcesAvailable} {
			if c := o.Revision.Status.GetCondition(t); c.IsFalse() {
				return w.revisionCause(c)
			}
		}
		if !o.Revision.IsReady() {
			return nil // what the Service says of it is the same, and may be older
		}
	}
	for _, t := range []apis.ConditionType{servingv1.ServiceConditionConfigurationsReady, servingv1.ServiceConditionRoutesReady} {
		c := o.Service.Status.GetCondition(t)
		switch {
		case !c.IsFalse():
		case c.Reason == servingv1.ReasonNotOwned:
			return &Cause{v1alpha1.ReasonNotOwned, w.Mask.Quote(c.Message)}
		default:
			return &Cause{w.other, fmt.Sprintf("%s: %s", c.Reason, w.Mask.Quote(c.Message))}
		}
	}
	return nil
}

func (w View) revisionCause(c *apis.Condition) *Cause {
	switch {
	case c.Reason == servingv1.ReasonContainerMissing:
		return &Cause{v1alpha1.ReasonImageNotFound, "its image cannot be found: " + cut(w.Mask.Hide(strings.TrimSpace(resolving(c.Message))))}
	case isPull(c.Reason):
		return &Cause{v1alpha1.ReasonImageNotFound, "its image cannot be pulled: " + cut(c.Message)}
	case strings.HasPrefix(c.Reason, "ExitCode"):
		said := w.Mask.Quote(strings.TrimPrefix(c.Message, servingv1.RevisionContainerExitingMessage("")))
		return &Cause{v1alpha1.ReasonCrashed, fmt.Sprintf("its container ended with exit code %s: %s", strings.TrimPrefix(c.Reason, "ExitCode"), said)}
	case c.Reason == corev1.PodReasonUnschedulable:
		return &Cause{v1alpha1.ReasonUnschedulable, unschedulable(c.Message)}
	default:
		return &Cause{w.other, fmt.Sprintf("%s: %s", c.Reason, w.Mask.Quote(c.Message))}
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
		return "; see its log: " + Command(v, "logs", "--node", node)
	case v1alpha1.ReasonImageNotFound:
		return fmt.Sprintf("; once the image is there, try again: %s && %s", Command(v, "stop"), Command(v, "start"))
	case v1alpha1.ReasonUnschedulable:
		return ""
	default:
		return "; see: " + Command(v, "events", "--warnings")
	}
}

// Command is what to type next about a version.
func Command(v *v1alpha1.Version, verb string, args ...string) string {
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
