package cluster

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/render"
)

// seen is what a cluster has of one version.
type seen struct {
	version *v1alpha1.Version
	// runtime is that of the namespace; nil if there is none or it may not be read.
	runtime *v1alpha1.Runtime
	// pods are those of its nodes, by name of the node; nil if they may not be listed.
	pods map[string]podCount
	// methods returns the full names of the rpcs, as package.Service/Rpc, by that in the version.
	methods func() map[string]string
}

// podCount is what is known of the pods of a node.
type podCount struct{ pods, restarts int }

// show returns the version as the pages show it.
func (s seen) show() source.Version {
	v := s.version
	shown := source.Version{
		Ref:         source.Ref{Namespace: v.Namespace, Name: v.Name},
		Description: v.Spec.Description,
		State:       stateOf(v),
		Phase:       phaseOf(v),
		Published:   s.published(),
		Share:       s.share(),
		Created:     v.CreationTimestamp.Time,
		Comment:     s.comment(),
		Delivery:    string(v.Delivery()),
	}
	if r := s.runtime; r != nil && shown.Published && r.Status.Since != nil {
		shown.Since = r.Status.Since.Time
	}
	shown.Address, shown.Web = s.address(shown.Published)
	shown.Cause, shown.Next = split(s.cause())
	shown.Entrypoint = s.entrypoint()
	for i := range v.Spec.Nodes {
		shown.Nodes = append(shown.Nodes, s.node(&v.Spec.Nodes[i]))
	}
	methods := s.methods()
	for i := range v.Spec.Workflows {
		w := s.workflow(&v.Spec.Workflows[i], shown.Nodes)
		w.Method = cmp.Or(methods[w.Method], w.Method)
		shown.Workflows = append(shown.Workflows, w)
	}
	return shown
}

// stateOf is the state of a version. One that has been started stays what it was while it
// waits for something; it has failed once that takes a person.
func stateOf(v *v1alpha1.Version) source.State {
	failed := cluster.Readiness(v).Blocked()
	switch phase := cluster.Phase(v); {
	case phase == v1alpha1.PhaseStopping || v.DeletionTimestamp != nil && !isTrue(v, v1alpha1.ConditionDeleteRefused):
		return source.Stopping
	case phase == v1alpha1.PhaseStopped && v.WantedState() == v1alpha1.StateStopped:
		return source.Stopped
	case failed:
		return source.Failed
	case phase == v1alpha1.PhaseStopped || phase == v1alpha1.PhaseStarting:
		return source.Starting
	}
	return source.Ready
}

// phaseOf is the version's phase for people: with a word for what has failed since.
func phaseOf(v *v1alpha1.Version) string {
	phase := cluster.Phase(v)
	switch {
	case stateOf(v) != source.Failed:
		return string(phase)
	case phase == v1alpha1.PhaseStopped:
		return "Start failed"
	}
	return string(phase) + ", failing"
}

func isTrue(v *v1alpha1.Version, condition string) bool {
	c := v.Status.Condition(condition)
	return c != nil && c.Status == metav1.ConditionTrue
}

func (s seen) published() bool {
	if s.runtime != nil {
		return s.runtime.Status.PublishedVersion == s.version.Name
	}
	return isTrue(s.version, v1alpha1.ConditionPublished)
}

// comment is the last one about the version: that of a start, stop or restart, or of a
// publication.
func (s seen) comment() string {
	var at time.Time
	text := s.version.Spec.Comment
	if h := s.version.Status.History; len(h) > 0 {
		at = h[len(h)-1].Time.Time
	}
	if s.runtime == nil {
		return text
	}
	for _, p := range s.runtime.Status.History {
		if p.Version == s.version.Name && !p.From.Time.Before(at) && p.Comment != "" {
			at, text = p.From.Time, p.Comment
		}
	}
	return text
}

// address is where clients in the cluster reach the version: by gRPC, and by HTTP.
func (s seen) address(published bool) (grpc, web string) {
	if s.version.Status.Address == nil {
		return "", ""
	}
	at, err := url.Parse(s.version.Status.Address.URL)
	if err != nil || at.Hostname() == "" {
		return "", ""
	}
	host := at.Hostname()
	if published {
		_, domain, _ := strings.Cut(host, ".")
		host = render.ActiveEntrypointName + "." + domain
	}
	at.Host = host
	return net.JoinHostPort(host, strconv.Itoa(cluster.GRPCPort)), at.String()
}

// cause is the message that matters most of those about the version; "" for none.
func (s seen) cause() string {
	v := s.version
	if v.DeletionTimestamp != nil && !isTrue(v, v1alpha1.ConditionDeleteRefused) {
		return cluster.Observation{Situation: cluster.SituationDeleting}.String()
	}
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	candidates := []string{
		messageIf(ready, metav1.ConditionFalse),
		s.waits(),
		messageIf(v.Status.Condition(v1alpha1.ConditionDeleteRefused), metav1.ConditionTrue),
		messageIf(v.Status.Condition(v1alpha1.ConditionStopRefused), metav1.ConditionTrue),
		messageIf(ready, metav1.ConditionUnknown),
		messageIf(v.Status.Condition(v1alpha1.ConditionStoreUnavailable), metav1.ConditionTrue),
		messageIf(v.Status.Condition(v1alpha1.ConditionCurrent), metav1.ConditionFalse),
		messageIf(v.Status.Condition(v1alpha1.ConditionCurrent), metav1.ConditionUnknown),
	}
	return cmp.Or(candidates...)
}

// waits is what a version that is to be published waits for.
func (s seen) waits() string {
	if s.runtime == nil || s.runtime.Spec.PublishedVersion != s.version.Name || s.published() {
		return ""
	}
	c := s.runtime.Status.Condition(v1alpha1.ConditionReady)
	return cmp.Or(messageIf(c, metav1.ConditionFalse), messageIf(c, metav1.ConditionUnknown))
}

// messageIf is the message of a condition that has the status, for a reason that is not the
// state that was asked for.
func messageIf(c *metav1.Condition, status metav1.ConditionStatus) string {
	if c == nil || c.Status != status || status != metav1.ConditionTrue && v1alpha1.IsExpected(c.Reason) {
		return ""
	}
	return cmp.Or(c.Message, c.Reason)
}

// node is a node as the pages show it.
func (s seen) node(n *v1alpha1.Node) source.Node {
	shown := source.Node{Name: n.Name, GPU: n.GPU, Image: n.Image, Source: n.Src, Pods: source.UnknownPods}
	if r := n.GPURequest; r != nil {
		shown.GPUs = source.GPUs(r.Resource, int(ptr.Deref(r.Count, 1)))
	}
	if s.pods != nil {
		shown.Pods, shown.Restarts = s.pods[n.Name].pods, s.pods[n.Name].restarts
	}
	at := slices.IndexFunc(s.version.Status.Nodes, func(status v1alpha1.NodeStatus) bool { return status.Name == n.Name })
	if at < 0 {
		shown.State = s.unobserved()
		return shown
	}
	status := &s.version.Status.Nodes[at]
	shown.Image, shown.Revision = cmp.Or(status.Image, n.Image), status.Revision
	shown.State = s.partState(status.Ready, status.Reason)
	switch {
	case shown.State == source.Ready && shown.Pods == 0:
		shown.State = source.Asleep
	case shown.State == source.Starting || shown.State == source.Failed:
		shown.Reason = status.Reason
		shown.Cause, shown.Next = split(status.Message)
	}
	return shown
}

// unobserved is the state of a part that the controller has not seen yet.
func (s seen) unobserved() source.State {
	if s.version.WantedState() == v1alpha1.StateStarted {
		return source.Starting
	}
	return source.Stopped
}

// partState is the state of a node or workflow.
func (s seen) partState(ready bool, reason string) source.State {
	switch {
	case ready:
		return source.Ready
	case reason == v1alpha1.ReasonStopped:
		return source.Stopped
	case reason == v1alpha1.ReasonStopping:
		return source.Stopping
	case reason == "", v1alpha1.IsProgress(reason):
		return s.unobserved()
	}
	return source.Failed
}

// workflow is a workflow as the pages show it, whose state is also that of its nodes.
func (s seen) workflow(w *v1alpha1.Workflow, nodes []source.Node) source.Workflow {
	shown := source.Workflow{Name: w.Name, Method: w.Entrypoint, Nodes: w.Sequential, State: s.unobserved()}
	for _, status := range s.version.Status.Workflows {
		if status.Name == w.Name {
			shown.State = s.partState(status.Ready, status.Reason)
			if shown.State == source.Starting || shown.State == source.Failed {
				shown.Reason, shown.Cause = status.Reason, status.Message
			}
		}
	}
	for _, n := range nodes {
		worse := n.State == source.Failed && shown.State != source.Failed || n.State == source.Starting && shown.State == source.Ready
		if worse && slices.Contains(w.Sequential, n.Name) {
			shown.State, shown.Reason, shown.Cause = n.State, n.Reason, n.Cause
		}
	}
	return shown
}
