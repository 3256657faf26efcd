package dashboard

import (
	"strconv"

	"krt.dev/kn-krt/pkg/dashboard/picture"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// panel is what is known of a node of a workflow, or of the entrypoint.
type panel struct {
	Title string
	// Close is the path of the page without it.
	Close string
	// Node is the node; nil if the panel is of the entrypoint.
	Node *source.Node
	// State, Cause and Next are those of the node or entrypoint.
	State       source.State
	Cause, Next string
	Facts       []fact
	Links       []tab
}

// fact is a line of a panel. Code says that it is a name to copy.
type fact struct {
	Name, Text string
	Code       bool
}

func (p *panel) is(node string) bool { return p.Node != nil && p.Node.Name == node }

// entrypointPanel is the value of the query's "show" for the entrypoint's panel.
const entrypointPanel = "entrypoint"

// panelPath is the path of the page with the panel of a node or, without one, the entrypoint.
func panelPath(r *request, workflow, node string) string {
	if node == "" {
		return r.link.Page(r.ref, "", "workflow", workflow, "show", entrypointPanel)
	}
	return r.link.Page(r.ref, "", "workflow", workflow, "node", node)
}

// newPanel is the panel that the query names, if it is of the workflow.
func newPanel(r *request, w *source.Workflow, numbers *source.WorkflowNumbers) *panel {
	query := r.URL.Query()
	if query.Get("workflow") != w.Name {
		return nil
	}
	if numbers == nil {
		numbers = &source.WorkflowNumbers{}
	}
	if query.Get("show") == entrypointPanel {
		return newEntrypointPanel(r, w, numbers)
	}
	for _, name := range w.Nodes {
		if name == query.Get("node") {
			return newNodePanel(r, w, name, numbers.Nodes[name])
		}
	}
	return nil
}

func newNodePanel(r *request, w *source.Workflow, name string, numbers *source.NodeNumbers) *panel {
	n := nodeOf(r.version, name)
	p := &panel{
		Title: "Node " + name, Close: r.link.Page(r.ref, ""), Node: &n, State: n.State, Cause: n.Cause, Next: n.Next,
		Links: []tab{
			{Text: "Logs", Path: r.link.Page(r.ref, "logs", "node", name)},
			{Text: "Requests", Path: r.link.Page(r.ref, "requests", "workflow", w.Name, "node", name)},
			{Text: "Charts", Path: r.link.Page(r.ref, "metrics", "workflow", w.Name, "node", name)},
		},
	}
	p.add("Condition", n.Reason)
	p.add("Pods", pods(n))
	if n.Restarts > 0 {
		p.add("Restarts", strconv.Itoa(n.Restarts))
	}
	if n.GPU {
		p.add("GPU", "needs one")
	}
	p.addCode("Source", n.Source)
	p.addCode("Image", n.Image)
	p.addCode("Revision", n.Revision)
	if numbers != nil {
		p.load(numbers.Load)
		p.add("Waited, 95 %", picture.Duration(numbers.Waited))
		p.add("Sent again", picture.Rate(numbers.Retries))
		p.add("Not accepted", picture.Rate(numbers.GaveUp))
	}
	return p
}

// pods is how many pods a node has, in words.
func pods(n source.Node) string {
	switch {
	case n.Pods == source.UnknownPods:
		return "not known: you may not list pods"
	case n.State == source.Asleep:
		return "0: it is asleep and starts with the next request"
	}
	return strconv.Itoa(n.Pods)
}

func newEntrypointPanel(r *request, w *source.Workflow, numbers *source.WorkflowNumbers) *panel {
	e := r.version.Entrypoint
	p := &panel{
		Title: "Entrypoint of " + w.Name, Close: r.link.Page(r.ref, ""), State: e.State, Cause: e.Cause, Next: e.Next,
		Links: []tab{
			{Text: "Logs", Path: r.link.Page(r.ref, "logs", "node", entrypointPanel)},
			{Text: "Requests", Path: r.link.Page(r.ref, "requests", "workflow", w.Name)},
			{Text: "Try", Path: r.link.Page(r.ref, "try", "workflow", w.Name)},
		},
	}
	p.add("Condition", e.Reason)
	p.addCode("Method", w.Method)
	p.addCode("gRPC", r.version.Address)
	p.addCode("Web", r.version.Web)
	if r.version.Address == "" {
		p.add("Address", "none: the version is not started")
	}
	p.load(numbers.Load)
	return p
}

// add adds a line, if there is something to say.
func (p *panel) add(name, text string) {
	if text != "" {
		p.Facts = append(p.Facts, fact{Name: name, Text: text})
	}
}

func (p *panel) addCode(name, text string) {
	if text != "" {
		p.Facts = append(p.Facts, fact{name, text, true})
	}
}

// load adds the numbers of a load, if it is not idle.
func (p *panel) load(l source.Load) {
	p.add("Requests", picture.Rate(l.PerSecond))
	p.add("50 % within", picture.Duration(l.P50))
	p.add("95 % within", picture.Duration(l.P95))
	p.add("Failures", picture.Rate(l.Errors))
}
