package observe

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// Node is what the cluster has of a node.
type Node struct {
	// Service is nil if it does not exist yet.
	Service *servingv1.Service
	// Revision is the latest one created, nil if there is none.
	Revision *servingv1.Revision
	// Pods are the Revision's. They are needed only while the node is not ready, and of a patient one.
	Pods []corev1.Pod
	// Patience is how its pods wait for a machine; nil: they do not.
	Patience *Patience
	// Applied: the Service was written after it was read, so its status is outdated.
	Applied bool
	// Refused is why the Service cannot be written; nil if it can.
	Refused *Cause
	// Disabled are the feature flags of Knative without which it refuses the Service.
	Disabled []string
}

// unseen is the message from before a Service is written until Knative has seen it: to
// distinguish these moments would only mean more writes of the status.
const unseen = "Knative Serving has not reconciled its Service yet"

// node returns why a node is not ready, nil if it is. Missing pods mean nothing: a node
// that was ready once may be scaled to zero.
func (in Input) node(v *v1alpha1.Version, name string) *Cause {
	n := in.Nodes[name]
	switch {
	case !in.Serving || n.Refused != nil || n.Service == nil || n.Applied:
		return in.unwritten(n)
	case n.Service.IsReady():
		return nil
	case n.Service.Status.ObservedGeneration != n.Service.Generation:
		return in.unobserved(n.Service)
	}
	if c := in.waiting(n); c != nil {
		return c
	}
	if GivenUp(v, name, n) {
		return in.givenUp(v, n)
	}
	if c := in.nodeCause(n); c != nil {
		return &Cause{c.Reason, strings.TrimSuffix(c.Message, ".") + nodeHint(v, name, c.Reason)}
	}
	if c := former(v, name, n); c != nil {
		return c
	}
	return inProgress(revisionProgress(n.Revision))
}

// unwritten is the cause of a node without a Service, or with one whose status is outdated.
func (in Input) unwritten(n Node) *Cause {
	switch {
	case !in.Serving:
		return &Cause{v1alpha1.ReasonServingMissing, "Knative Serving is not installed; see what is missing: kn krt doctor"}
	case n.Service == nil && n.Disabled != nil: // one that exists runs on; it only cannot be written
		return &Cause{v1alpha1.ReasonFeatureDisabled,
			"feature flags of Knative that the node needs are off; enable them: " + render.EnableFeatures(n.Disabled)}
	case n.Refused != nil:
		return n.Refused
	case n.Service == nil && !n.Applied && !in.Config.Ready:
		return inProgress("it is waiting for the config")
	default:
		return inProgress(unseen)
	}
}

// unobserved waits for Knative to observe the Service, but not forever.
func (in Input) unobserved(s *servingv1.Service) *Cause {
	if s.Status.ObservedGeneration == 0 && in.Now.Sub(s.CreationTimestamp.Time) > in.StartTimeout {
		return &Cause{v1alpha1.ReasonRevisionFailed, fmt.Sprintf(
			"Knative Serving has not reconciled its Service for %s; check whether its controller runs: kn krt doctor", in.StartTimeout)}
	}
	return inProgress(unseen)
}

// nodeCause is why a node has failed, nil if it has not: by its pods, which know best,
// else by what Knative kept of pods that are gone, else by what Knative itself reports.
func (in Input) nodeCause(n Node) *Cause {
	if n.Patience != nil {
		in.StartTimeout = max(in.StartTimeout, n.Patience.StartTimeout)
	}
	if c := in.podsCause(n.Pods, v1alpha1.ReasonRevisionFailed); c != nil {
		return c
	}
	if n.Revision != nil {
		for _, t := range []apis.ConditionType{servingv1.RevisionConditionContainerHealthy, servingv1.RevisionConditionResourcesAvailable} {
			if c := n.Revision.Status.GetCondition(t); c.IsFalse() {
				return in.revisionCause(c)
			}
		}
		if !n.Revision.IsReady() {
			return nil // the Service reports the same about it, or something older
		}
	}
	for _, t := range []apis.ConditionType{servingv1.ServiceConditionConfigurationsReady, servingv1.ServiceConditionRoutesReady} {
		c := n.Service.Status.GetCondition(t)
		switch {
		case !c.IsFalse():
		case c.Reason == servingv1.ReasonNotOwned:
			return &Cause{v1alpha1.ReasonNotOwned, in.Config.Mask.Quote(c.Message)}
		default:
			return &Cause{v1alpha1.ReasonRevisionFailed, fmt.Sprintf("%s: %s", c.Reason, in.Config.Mask.Quote(c.Message))}
		}
	}
	return nil
}

// revisionCause is the cause in a condition of a Revision that is false.
func (in Input) revisionCause(c *apis.Condition) *Cause {
	switch {
	case c.Reason == servingv1.ReasonContainerMissing:
		return &Cause{v1alpha1.ReasonImageNotFound,
			"its image cannot be found: " + shorten(in.Config.Mask.Hide(strings.TrimSpace(registryError(c.Message))))}
	case isPull(c.Reason):
		return &Cause{v1alpha1.ReasonImageNotFound, "its image cannot be pulled: " + shorten(c.Message)}
	case strings.HasPrefix(c.Reason, "ExitCode"):
		last := in.Config.Mask.Quote(strings.TrimPrefix(c.Message, servingv1.RevisionContainerExitingMessage("")))
		return &Cause{v1alpha1.ReasonCrashed,
			fmt.Sprintf("its container ended with exit code %s: %s", strings.TrimPrefix(c.Reason, "ExitCode"), last)}
	case c.Reason == corev1.PodReasonUnschedulable:
		return &Cause{v1alpha1.ReasonUnschedulable, unschedulable(c.Message)}
	default:
		return &Cause{v1alpha1.ReasonRevisionFailed, fmt.Sprintf("%s: %s", c.Reason, in.Config.Mask.Quote(c.Message))}
	}
}

// registryError is the registry's own error in a message of Knative.
func registryError(message string) string {
	if _, own, found := strings.Cut(message, "failed to resolve image to digest: "); found {
		return own
	}
	return message
}

// nodeHint is the next command, by the reason.
func nodeHint(v *v1alpha1.Version, node, reason string) string {
	switch reason {
	case v1alpha1.ReasonCrashed, v1alpha1.ReasonNotAnswering:
		return "; see its log: " + v.Command("logs", "--node", node)
	case v1alpha1.ReasonImageNotFound:
		return fmt.Sprintf("; once the image exists, try again: %s && %s", v.Command("stop"), v.Command("start"))
	case v1alpha1.ReasonUnschedulable:
		return ""
	default:
		return "; see: " + v.Command("events", "--warnings")
	}
}

// revisionProgress is what a Revision that has not failed waits for.
func revisionProgress(r *servingv1.Revision) string {
	switch {
	case r == nil:
		return "its Revision is being created"
	case r.Status.GetCondition(servingv1.RevisionConditionContainerHealthy).GetReason() == servingv1.ReasonResolvingDigests:
		return "its image is being resolved"
	default:
		return "its pod is starting"
	}
}

// imageDigest is the image that a revision runs, as Knative has resolved it.
func imageDigest(r *servingv1.Revision) string {
	if r == nil || len(r.Status.ContainerStatuses) == 0 {
		return ""
	}
	return r.Status.ContainerStatuses[0].ImageDigest
}
