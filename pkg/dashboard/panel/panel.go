// Package panel says in lines what is known of a node or an entrypoint, for the panel that opens
// below a picture.
package panel

import (
	"cmp"
	"slices"
	"strconv"

	"krt.dev/kn-krt/pkg/dashboard/picture"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Panel is what is known of a node of a workflow, or of the entrypoint.
type Panel struct {
	Title string
	// Node is the node's name; empty if the panel is of the entrypoint.
	Node string
	// State, Cause and Next are those of the node or entrypoint.
	State       source.State
	Cause, Next string
	Facts       []Fact
}

// Fact is a line of a panel. Code says that it is a name to copy.
type Fact struct {
	Name, Text string
	Code       bool
}

// NodeOf is the node of that name; one that the version does not have is stopped.
func NodeOf(v *source.Version, name string) source.Node {
	if at := slices.IndexFunc(v.Nodes, func(n source.Node) bool { return n.Name == name }); at >= 0 {
		return v.Nodes[at]
	}
	return source.Node{Name: name, State: source.Stopped}
}

// OfNode is the panel of a node; numbers are those of one workflow, nil if they are not known.
func OfNode(n source.Node, numbers *source.NodeNumbers) *Panel {
	p := &Panel{Title: "Node " + n.Name, Node: n.Name, State: n.State, Cause: n.Cause, Next: n.Next}
	p.add("Condition", n.Reason)
	p.add("Pods", pods(n))
	if n.Restarts > 0 {
		p.add("Restarts", strconv.Itoa(n.Restarts))
	}
	if n.GPU {
		p.add("GPU", "needs "+cmp.Or(n.GPUs, "one"))
	}
	p.addCode("Source", n.Source)
	p.addCode("Image", n.Image)
	p.addCode("Revision", n.Revision)
	if numbers != nil {
		p.load(numbers.Load)
		p.add("95 % waited", picture.Duration(numbers.Waited))
		p.add("Sent again", picture.Rate(numbers.Retries))
		p.add("Not accepted", picture.Rate(numbers.GaveUp))
	}
	return p
}

// pods is how many pods a node has, in words; empty if it is a process.
func pods(n source.Node) string {
	switch {
	case n.Pods == source.UnknownPods:
		return "not known: you may not list pods"
	case n.Pods == source.NoPods:
		return ""
	case n.State == source.Asleep:
		return "0: it is asleep and starts with the next request"
	}
	return strconv.Itoa(n.Pods)
}

// OfEntrypoint is the panel of the entrypoint of a workflow; numbers are nil if they are not known.
func OfEntrypoint(v *source.Version, w *source.Workflow, numbers *source.WorkflowNumbers) *Panel {
	e := v.Entrypoint
	p := &Panel{Title: "Entrypoint of " + w.Name, State: e.State, Cause: e.Cause, Next: e.Next}
	p.add("Condition", e.Reason)
	p.addCode("Method", w.Method)
	p.addCode("gRPC", v.Address)
	p.addCode("Web", v.Web)
	if v.Address == "" {
		p.add("Address", "none: the version is not started")
	}
	if numbers != nil {
		p.load(numbers.Load)
	}
	return p
}

// add adds a line, if there is something to say.
func (p *Panel) add(name, text string) {
	if text != "" {
		p.Facts = append(p.Facts, Fact{Name: name, Text: text})
	}
}

func (p *Panel) addCode(name, text string) {
	if text != "" {
		p.Facts = append(p.Facts, Fact{name, text, true})
	}
}

// load adds the numbers of a load, if it is not idle.
func (p *Panel) load(l source.Load) {
	p.add("Requests", picture.Rate(l.PerSecond))
	p.add("50 % within", picture.Duration(l.P50))
	p.add("95 % within", picture.Duration(l.P95))
	p.add("Failures", picture.Rate(l.Errors))
}
