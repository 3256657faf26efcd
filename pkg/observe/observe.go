// Package observe derives the conditions of versions and runtimes, each with its cause
// and the next command, from the objects that a cluster has of them. It is pure: it has
// no client and no context, and the time is passed.
package observe

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Cause is why a component is not ready. [v1alpha1.ReasonDeploying] and
// [v1alpha1.ReasonWaitingForNode] are work in progress, any other reason needs a person.
type Cause struct{ Reason, Message string }

// inProgress is the cause of a component that is being set up.
func inProgress(message string) *Cause { return &Cause{v1alpha1.ReasonDeploying, message} }

// Input is all that the conditions of a running version are derived from.
type Input struct {
	// Now is when the objects were read.
	Now time.Time
	// StartTimeout is how long a container may run without being ready, and Knative may
	// do nothing, before that is a failure.
	StartTimeout time.Duration
	// Serving and Eventing report whether these components of Knative are installed.
	Serving, Eventing bool
	// Config is what the Secret with the version's config values has.
	Config Config
	// Nodes and Workflows are by name.
	Nodes      map[string]Node
	Workflows  map[string]Workflow
	Entrypoint Entrypoint
	// Impatient: Knative marks a Revision as failed while no machine can run its pod.
	Impatient bool
	// Unread: events about pods that wait for a machine could not be read.
	Unread bool
	// Events are the warnings about the pods for which [NeedsEvents] is true, and all events about pods of
	// patient nodes that wait for a machine, by UID.
	Events map[types.UID][]corev1.Event
}

// Mark sets the state of nodes, workflows and entrypoint in the status of v.
func Mark(v *v1alpha1.Version, in Input) {
	for _, n := range v.Spec.Nodes {
		node := in.Nodes[n.Name]
		if c := in.node(v, n.Name); c != nil {
			v.MarkNodeNotReady(n.Name, c.Reason, c.Message)
			continue
		}
		v.MarkNodeReady(n.Name, node.Service.Status.LatestReadyRevisionName, imageDigest(node.Revision))
		if c := in.waiting(node); c != nil {
			v.MarkNodeWaiting(n.Name, c.Message)
		}
	}
	for _, w := range v.Spec.Workflows {
		workflow := in.Workflows[w.Name]
		if c := in.workflow(v, workflow); c != nil {
			v.MarkWorkflowNotReady(w.Name, c.Reason, c.Message)
			continue
		}
		v.MarkWorkflowReady(w.Name, SequenceAddress(workflow.Sequence), workflow.Channel)
		if workflow.Limit != "" {
			v.MarkWorkflowLimited(w.Name, workflow.Limit)
		}
	}
	if c := in.entrypoint(v); c != nil {
		v.MarkEntrypointNotReady(c.Reason, c.Message)
		return
	}
	v.MarkEntrypointReady(in.Entrypoint.URL)
}

// invalid is the cause of content that the rules of the CRD cannot check.
func invalid(v *v1alpha1.Version, problem string) *Cause {
	fix := "; fix it"
	if strings.HasSuffix(problem, "?") {
		fix = " Fix it"
	}
	return &Cause{v1alpha1.ReasonInvalid, fmt.Sprintf("%s%s in a version with another name, or in this one after stopping it: %s",
		problem, fix, v.Command("stop"))}
}
