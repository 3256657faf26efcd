package observe

import (
	"fmt"
	"strings"

	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Workflow is what the cluster has of a workflow.
type Workflow struct {
	// Sequence is nil if it does not exist yet, and with direct delivery.
	Sequence *flowsv1.Sequence
	// Unconnected is a channel of a ready Sequence that may drop events for now, nil if
	// there is none: see [channel.Connected]. The Sequence's status does not report this.
	Unconnected *Channel
	// Channel is the kind of the Sequence's channels, and Limit what may become a problem with
	// them; both may be empty.
	Channel, Limit string
	// Refused is why the Sequence cannot be written; nil if it can.
	Refused *Cause
	// Invalid is what is wrong with the workflow itself; empty if nothing is.
	Invalid string
}

// Channel is a channel of a Sequence.
type Channel struct{ Kind, Name string }

// workflow returns why a workflow is not ready, nil if it is. The nodes of v must have
// been marked.
func (in Input) workflow(v *v1alpha1.Version, w Workflow) *Cause {
	switch s := w.Sequence; {
	case w.Invalid != "":
		return invalid(v, w.Invalid)
	case v.Delivery() != v1alpha1.DeliverySequence:
		return nil
	case !in.Eventing:
		return &Cause{v1alpha1.ReasonEventingMissing,
			"Knative Eventing is not installed; install it (see what is missing: kn krt doctor), or use entrypoint.delivery: Direct"}
	case w.Refused != nil:
		return w.Refused
	case s == nil:
		return inProgress("its Sequence is being set up")
	case w.Unconnected != nil:
		return inProgress(fmt.Sprintf("Knative Eventing has not connected its channel yet; see: kubectl describe %s %s -n %s",
			strings.ToLower(w.Unconnected.Kind), w.Unconnected.Name, v.Namespace))
	case SequenceReady(s):
		return nil
	}
	if c := in.sequenceCause(v, w.Sequence); c != nil {
		return &Cause{c.Reason, c.Message + "; see: kubectl describe sequence " + w.Sequence.Name + " -n " + v.Namespace}
	}
	return inProgress("its Sequence is being set up")
}

// SequenceReady reports whether a Sequence, nil if there is none, is ready as it is now specified.
func SequenceReady(s *flowsv1.Sequence) bool {
	return s != nil && s.Status.ObservedGeneration == s.Generation && s.Status.IsReady() && SequenceAddress(s) != ""
}

// SequenceAddress is the URL at which a Sequence receives events, empty while it is not known.
func SequenceAddress(s *flowsv1.Sequence) string {
	if s == nil || s.Status.Address.URL == nil {
		return ""
	}
	return s.Status.Address.URL.String()
}

// sequenceCause is why a Sequence has failed, nil if it has not. Its own condition never
// reports a failure, so its channels' do, and then the time does. A subscription is not
// ready while a node is not: its condition counts only after that.
func (in Input) sequenceCause(v *v1alpha1.Version, s *flowsv1.Sequence) *Cause {
	for _, channel := range s.Status.ChannelStatuses {
		if c := channel.ReadyCondition; c.IsFalse() && c.Message != "" {
			return &Cause{v1alpha1.ReasonSequenceFailed,
				fmt.Sprintf("its %s %q: %s", channel.Channel.Kind, channel.Channel.Name, shorten(c.Message))}
		}
	}
	if !nodesReady(v) || in.Now.Sub(s.CreationTimestamp.Time) <= in.StartTimeout {
		return nil
	}
	for _, subscription := range s.Status.SubscriptionStatuses {
		if c := subscription.ReadyCondition; c.IsFalse() && c.Message != "" {
			return &Cause{v1alpha1.ReasonSequenceFailed,
				fmt.Sprintf("its Subscription %q: %s", subscription.Subscription.Name, shorten(c.Message))}
		}
	}
	return &Cause{v1alpha1.ReasonSequenceFailed, fmt.Sprintf("its Sequence has not become ready within %s", in.StartTimeout)}
}

func nodesReady(v *v1alpha1.Version) bool {
	for _, n := range v.Status.Nodes {
		if !n.Ready {
			return false
		}
	}
	return true
}

// Addresses returns the URLs at which the Sequences of a version receive events, by
// workflow. A Sequence that is missing for a moment keeps its address while the version
// is live: it is about to be created again.
func Addresses(v *v1alpha1.Version, sequences map[string]*flowsv1.Sequence, live bool) map[string]string {
	known := map[string]string{}
	for _, w := range v.Status.Workflows {
		address := SequenceAddress(sequences[w.Name])
		if address == "" && live {
			address = w.Address
		}
		if address != "" {
			known[w.Name] = address
		}
	}
	return known
}

// Restart returns what a restart of v waits for, or why it fails: next has the Sequences
// that it creates next to those in use, by workflow. It returns nil if all are ready.
func Restart(v *v1alpha1.Version, in Input, next map[string]Workflow) *Cause {
	var waits *Cause
	for _, w := range v.Spec.Workflows {
		c := in.workflow(v, next[w.Name])
		if c == nil {
			continue
		}
		c = &Cause{c.Reason, fmt.Sprintf("workflow %q: %s", w.Name, c.Message)}
		if c.Reason != v1alpha1.ReasonDeploying {
			return c
		}
		if waits == nil {
			waits = c
		}
	}
	return waits
}
