package observe

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/render"
)

// Patience is how a node's pods wait for a machine.
type Patience struct {
	// Resource is what the machine must have, and Count how many of it; empty: nothing special.
	Resource corev1.ResourceName
	Count    int64
	// Selector are labels that the machine must have.
	Selector map[string]string
	// StartTimeout is how long a pod may take to become ready.
	StartTimeout time.Duration
}

// Patient reports whether a node is, so that its pods matter although it is ready.
func (in Input) Patient() bool {
	for _, n := range in.Nodes {
		if n.Patience != nil {
			return true
		}
	}
	return false
}

// machine describes a machine that can run the pods.
func (p *Patience) machine() string {
	switch {
	case p.Resource == "":
		return "a machine that can run it"
	case p.Count > 1:
		return fmt.Sprintf("a machine with %d %s", p.Count, p.Resource)
	}
	return "a machine with " + string(p.Resource)
}

// Waits returns the oldest pod that waits for a machine, and since when it does; nil if there is none, or
// if another pod is ready.
func Waits(pods []corev1.Pod) (oldest *corev1.Pod, since time.Time) {
	for i := range pods {
		pod := &pods[i]
		if isOver(pod) {
			continue
		}
		if conditionIs(pod, corev1.PodReady, corev1.ConditionTrue) != nil {
			return nil, time.Time{}
		}
		at, waits := waitsSince(pod)
		if waits && (oldest == nil || at.Before(since) || at.Equal(since) && pod.Name < oldest.Name) {
			oldest, since = pod, at
		}
	}
	return oldest, since
}

// waitsSince reports whether a pod waits for a machine, and since when.
func waitsSince(pod *corev1.Pod) (since time.Time, waits bool) {
	c := conditionIs(pod, corev1.PodScheduled, corev1.ConditionFalse)
	if c == nil || c.Reason != corev1.PodReasonUnschedulable {
		return time.Time{}, false
	}
	return latest(c.LastTransitionTime.Time, pod.CreationTimestamp.Time), true
}

// latest is the later of two times.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Cold are the nodes that have a pod, or several, of which none is ready, as an entrypoint is told about
// them. One whose pod has had a machine for its start timeout is not cold, but fails: due is after what
// time the first of them does, 0 for none. For a machine a pod waits however long it takes: it may come any time.
func Cold(v *v1alpha1.Version, in Input) (nodes []cold.Node, due time.Duration) {
	for _, n := range v.Spec.Nodes {
		node := in.Nodes[n.Name]
		if node.Patience == nil {
			continue
		}
		since, scheduled, found := coldSince(node.Pods)
		left := node.Patience.StartTimeout - in.Now.Sub(since)
		if !found || scheduled && left <= 0 {
			continue
		}
		if scheduled && (due == 0 || left < due) {
			due = left
		}
		nodes = append(nodes, cold.Node{
			Node: n.Name, Resource: string(node.Patience.Resource), Since: since.UTC().Truncate(time.Second), Scheduled: scheduled,
		})
	}
	return nodes, due
}

// coldSince reports since when the pods of a node wait for a machine or, if one of them has it, since when that
// starts.
func coldSince(pods []corev1.Pod) (since time.Time, scheduled, found bool) {
	for i := range pods {
		pod := &pods[i]
		if isOver(pod) {
			continue
		}
		if conditionIs(pod, corev1.PodReady, corev1.ConditionTrue) != nil {
			return time.Time{}, false, false
		}
		if c := conditionIs(pod, corev1.PodScheduled, corev1.ConditionTrue); c != nil {
			at := latest(c.LastTransitionTime.Time, pod.CreationTimestamp.Time)
			if !scheduled || at.Before(since) {
				since, scheduled, found = at, true, true
			}
		}
	}
	if found {
		return since, scheduled, found
	}
	pod, since := Waits(pods)
	return since, false, pod != nil
}

// waiting is the cause of a node whose pod waits for a machine; nil if none does, or the node is not
// patient.
func (in Input) waiting(n Node) *Cause {
	pod, since := Waits(n.Pods)
	if n.Patience == nil || pod == nil {
		return nil
	}
	said, refused := in.autoscaler(pod)
	text := fmt.Sprintf("waiting for %s, since %s", n.Patience.machine(), since.UTC().Format(time.RFC3339))
	scheduler := conditionIs(pod, corev1.PodScheduled, corev1.ConditionFalse).Message
	switch {
	case in.Now.Sub(since) > n.Patience.StartTimeout:
		return &Cause{v1alpha1.ReasonUnschedulable, fmt.Sprintf("%s, for longer than its start timeout, %s: %s",
			text, n.Patience.StartTimeout, unschedulable(scheduler))}
	case refused:
		return &Cause{v1alpha1.ReasonUnschedulable, fmt.Sprintf("%s; the cluster's autoscaler adds none: %s", text, said)}
	case said != "":
		text += "; the cluster's autoscaler adds one: " + said
	case in.Unread:
		text += "; what autoscalers report about it cannot be read: " + unschedulable(scheduler)
	default:
		text += "; no autoscaler has reported that it adds one: " + unschedulable(scheduler)
	}
	if in.Impatient {
		text += "; Knative marks its Revision as failed meanwhile, and gives it up in the end; to have it wait: " + render.EnableAlwaysSchedulable
	}
	return &Cause{v1alpha1.ReasonWaitingForNode, text}
}

// What autoscalers report about a pod: the cluster autoscaler, that it adds a machine, or that none it
// could add would help; Karpenter, that it has one in view.
const (
	eventScaleUp   = "TriggeredScaleUp"
	eventNoScaleUp = "NotTriggerScaleUp"
	eventNominated = "Nominated"
)

// autoscaler is what an autoscaler has reported last about a pod that waits; empty if none has. refused: it adds
// no machine.
func (in Input) autoscaler(pod *corev1.Pod) (said string, refused bool) {
	reports := slices.Clone(in.Events[pod.UID]) // an apiserver lists them by name
	slices.SortStableFunc(reports, func(a, b corev1.Event) int {
		x, _ := Occurrences(&a)
		y, _ := Occurrences(&b)
		return x.Compare(y)
	})
	var newest time.Time
	for _, e := range reports {
		at, _ := Occurrences(&e)
		if e.Reason != eventScaleUp && e.Reason != eventNoScaleUp && e.Reason != eventNominated {
			continue
		}
		// What it cannot add now it may have added a moment ago.
		if e.Reason == eventNoScaleUp && said != "" && !refused && at.Sub(newest) < time.Minute {
			continue
		}
		newest, refused = at, e.Reason == eventNoScaleUp
		said = e.Reason + ": " + in.Config.Mask.Quote(e.Message)
	}
	return said, refused
}

// GivenUp reports whether Knative has given up a Revision because there was no machine for its pod, as
// the node's state has said before. Then it does not come back, also when there is one.
func GivenUp(v *v1alpha1.Version, name string, n Node) bool {
	if former(v, name, n) == nil || n.Revision == nil {
		return false
	}
	status := &n.Revision.Status
	return status.GetCondition(servingv1.RevisionConditionResourcesAvailable).IsFalse() &&
		!status.GetCondition(servingv1.RevisionConditionContainerHealthy).IsFalse()
}

// former is the cause of a patient node that has no pod any more, or not yet again: that of the last one if it waited
// for a machine, else nil. It stays until it is known what has become of the Revision.
func former(v *v1alpha1.Version, name string, n Node) *Cause {
	alive := func(pod corev1.Pod) bool { return !isOver(&pod) }
	if n.Patience == nil || slices.ContainsFunc(n.Pods, alive) {
		return nil
	}
	for _, s := range v.Status.Nodes {
		if s.Name == name && (s.Reason == v1alpha1.ReasonWaitingForNode || s.Reason == v1alpha1.ReasonUnschedulable) {
			return &Cause{s.Reason, s.Message}
		}
	}
	return nil
}

// givenUp is the cause of a node whose Revision Knative has given up.
func (in Input) givenUp(v *v1alpha1.Version, n Node) *Cause {
	return &Cause{v1alpha1.ReasonUnschedulable, fmt.Sprintf("Knative has given up its Revision, because there was not %s within %s; a "+
		"new one is made once there is, or now: %s && %s", n.Patience.machine(), n.Patience.StartTimeout, v.Command("stop"), v.Command("start"))}
}

// offerPeriod is how often a Revision is made again at least if machines offer the same all the time: who else uses their
// processors, memory and devices is not known here. It is longer for nodes whose start takes longer.
const offerPeriod = time.Hour

// Offer identifies the machines that could run one more pod of a node, as far as the pods of versions
// show, and the period in which they do; empty if there are none.
func (p *Patience) Offer(machines []corev1.Node, pods []corev1.Pod, now time.Time) string {
	used := map[string]int64{}
	for i := range pods {
		pod := &pods[i]
		if HasEnded(pod) {
			continue
		}
		for _, c := range pod.Spec.Containers {
			quantity := c.Resources.Limits[p.Resource]
			used[pod.Spec.NodeName] += quantity.Value()
		}
	}
	selector := labels.SelectorFromSet(p.Selector)
	var offers []string
	for i := range machines {
		m := &machines[i]
		quantity := m.Status.Allocatable[p.Resource]
		free := quantity.Value() - used[m.Name]
		if Schedulable(m) && selector.Matches(labels.Set(m.Labels)) && free >= p.Count {
			offers = append(offers, fmt.Sprintf("%s %d %s", cmp.Or(string(m.UID), m.Name), free, readySince(m)))
		}
	}
	if len(offers) == 0 {
		return ""
	}
	slices.Sort(offers)
	offers = append(offers, now.Truncate(max(p.StartTimeout, offerPeriod)).UTC().Format(time.RFC3339))
	sum := sha256.Sum256([]byte(strings.Join(offers, "\n")))
	return hex.EncodeToString(sum[:6])
}

// readySince is since when a machine is ready, or not: one that was not meanwhile is offered again.
func readySince(m *corev1.Node) string {
	for _, c := range m.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.LastTransitionTime.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// Schedulable reports whether pods can be scheduled on a node of the cluster.
func Schedulable(n *corev1.Node) bool {
	if n.Spec.Unschedulable {
		return false
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
