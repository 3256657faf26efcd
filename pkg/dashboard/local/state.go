package local

import (
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/schema"
)

// Phases of a run, for people.
const (
	phaseStarting  = "Starting"
	phaseRunning   = "Running"
	phaseReloading = "Reloading"
	phaseFailed    = "Failed"
	phaseStopping  = "Stopping"
	phaseStopped   = "Stopped"
)

// state is what is known of a run.
type state struct {
	bundle  *krt.Bundle // nil before the run has loaded it
	serving *local.Serving
	began   time.Time
	phase   string
	// cause is why the last change was not loaded, or why the run has ended.
	cause, next string
	nodes       map[string]*node
	history     []source.Event // the newest is first
}

// node is what is known of a node.
type node struct {
	state               source.State
	reason, cause, next string
	restarts            int
}

// is reports whether ref names the version of the run.
func (s *state) is(ref source.Ref) bool {
	return s.bundle != nil && ref == s.ref()
}

// ref names the version. The bundle must be loaded.
func (s *state) ref() source.Ref {
	return source.Ref{Namespace: local.Namespace, Name: s.bundle.Manifest.Version}
}

// of returns the node's state. A node that nothing was reported of is starting.
func (s *state) of(name string) *node {
	if s.nodes[name] == nil {
		s.nodes[name] = &node{state: source.Starting}
	}
	return s.nodes[name]
}

// version is the run as a version. Nobody publishes it: there is no runtime that it could be
// published in.
func (s *state) version() source.Version {
	m := s.bundle.Manifest
	v := source.Version{
		Ref:         s.ref(),
		Description: m.Description, Created: s.began, Delivery: "Direct",
		Phase: s.phase, Cause: s.cause, Next: s.next,
	}
	if s.serving != nil {
		v.Address, v.Web = local.Reachable(s.serving.GRPC), "http://"+local.Reachable(s.serving.Web)
	}
	v.Entrypoint.State = s.entrypoint()
	for _, n := range m.Nodes {
		v.Nodes = append(v.Nodes, s.of(n.Name).show(n))
	}
	for _, w := range m.Workflows {
		v.Workflows = append(v.Workflows, s.workflow(w))
	}
	v.State = s.overall()
	if failed := s.firstFailed(nodeNames(m)); failed != nil && v.State == source.Failed {
		if v.Phase == phaseRunning {
			v.Phase = phaseFailed
		}
		if v.Cause == "" {
			v.Cause, v.Next = failed.cause, failed.next
		}
	}
	return v
}

// show returns the node n of the manifest as it is.
func (o *node) show(n krt.Node) source.Node {
	shown := source.Node{
		Name: n.Name, State: o.state, Reason: o.reason, Cause: o.cause, Next: o.next,
		GPU: n.GPU, Source: n.Src, Restarts: o.restarts, Pods: source.NoPods,
	}
	if r := n.GPURequest; r != nil {
		count := 1
		if r.Count != nil {
			count = *r.Count
		}
		shown.GPUs = source.GPUs(r.Resource, count)
	}
	return shown
}

// workflow returns the workflow w of the manifest as it is.
func (s *state) workflow(w krt.Workflow) source.Workflow {
	shown := source.Workflow{Name: w.Name, Method: w.Entrypoint, Nodes: w.Sequential, State: s.worst(w.Sequential)}
	if method, err := s.bundle.Schema.Method(w.Entrypoint); err == nil {
		shown.Method = schema.MethodName(method)
	}
	if failed := s.firstFailed(w.Sequential); failed != nil {
		shown.Reason, shown.Cause = failed.reason, failed.cause
	}
	return shown
}

// entrypoint is the state of the entrypoint, which is in the program of the run.
func (s *state) entrypoint() source.State {
	switch s.phase {
	case phaseStarting:
		return source.Starting
	case phaseRunning, phaseReloading:
		return source.Ready
	case phaseStopping:
		return source.Stopping
	}
	return source.Stopped
}

// overall is the state of the whole version.
func (s *state) overall() source.State {
	switch s.phase {
	case phaseStarting:
		if s.worst(nodeNames(s.bundle.Manifest)) == source.Failed {
			return source.Failed
		}
		return source.Starting
	case phaseFailed:
		return source.Failed
	case phaseStopping:
		return source.Stopping
	case phaseStopped:
		return source.Stopped
	}
	return s.worst(nodeNames(s.bundle.Manifest))
}

// worst is the state of nodes together.
func (s *state) worst(names []string) source.State {
	found := map[source.State]bool{}
	for _, name := range names {
		found[s.of(name).state] = true
	}
	for _, one := range []source.State{source.Failed, source.Stopped, source.Stopping, source.Starting} {
		if found[one] {
			return one
		}
	}
	return source.Ready
}

// firstFailed is the first of the nodes that has failed, nil if none has.
func (s *state) firstFailed(names []string) *node {
	for _, name := range names {
		if o := s.of(name); o.state == source.Failed {
			return o
		}
	}
	return nil
}

func nodeNames(m *krt.Manifest) []string {
	names := make([]string, len(m.Nodes))
	for i, n := range m.Nodes {
		names[i] = n.Name
	}
	return names
}
