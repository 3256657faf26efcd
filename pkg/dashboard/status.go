package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/handbook"
	"krt.dev/kn-krt/pkg/dashboard/panel"
	"krt.dev/kn-krt/pkg/dashboard/picture"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/entrypoint/describe"
)

// statusView is the first page of a version: a card with a picture for each workflow.
type statusView struct {
	*source.Version
	// Asked is the action that has just been asked for; empty if none was.
	Asked string
	Cards []flowCard
	// Numbers is where the numbers in the pictures come from, or why there are none.
	Numbers string
}

// flowCard is a workflow.
type flowCard struct {
	ID string
	source.Workflow
	Published bool
	Picture   template.HTML
	// Logs, Requests and Metrics are the paths of its logs, requests and charts.
	Logs, Requests, Metrics string
	// Panel is what is known of the node or entrypoint that the query names; nil if it names none.
	Panel *panelView
}

func statusPage() page {
	draw := picture.New()
	return page{
		name: "status", title: "Status", tab: "Status", scripts: []string{"status.js"},
		view: func(r *request) (any, error) { return newStatusView(r, draw) },
		live: func(view any) []fragment { return view.(*statusView).fragments() },
		follow: []follower{func(ctx context.Context, r *request, changed func()) error {
			return r.source.FollowNumbers(ctx, r.ref, changed)
		}},
	}
}

func newStatusView(r *request, draw *picture.Drawer) (*statusView, error) {
	v := &statusView{Version: r.version, Asked: r.receipts.Take(r.ref, r.URL.Query().Get("asked"))}
	numbers, err := r.source.Numbers(r.Context(), r.ref)
	if numbers == nil {
		numbers = &source.Numbers{}
	}
	v.Numbers = numbersFrom(r.version, numbers, err)
	for i := range r.version.Workflows {
		card, err := newFlowCard(r, draw, i, numbers)
		if err != nil {
			return nil, err
		}
		v.Cards = append(v.Cards, *card)
	}
	return v, nil
}

// numbersFrom says where numbers come from, or why there are none.
func numbersFrom(v *source.Version, n *source.Numbers, err error) string {
	switch {
	case err != nil:
		return "There are no numbers: " + err.Error()
	case n.At.IsZero() && v.Entrypoint.State != source.Ready:
		return ""
	case n.At.IsZero():
		return "Numbers appear within seconds."
	}
	text := fmt.Sprintf("Numbers of the last %s, from %s.", picture.Duration(n.Over.Round(time.Second)), n.From)
	if len(n.Missing) > 0 {
		text += fmt.Sprintf(" Those of %d of its pods could not be read and are missing.", len(n.Missing))
	}
	return text
}

// fragments are the live parts: a card for each workflow, and around them what changes seldom.
func (v *statusView) fragments() []fragment {
	parts := []fragment{
		{id: "cause", template: "status-cause", data: v},
		{id: "cards", template: "status-cards", data: v, key: fmt.Sprint(v.names())},
		{id: "numbers", template: "status-numbers", data: v},
	}
	for i := range v.Cards {
		parts = append(parts, fragment{id: v.Cards[i].ID, template: "status-card", data: v.Cards[i]})
	}
	return parts
}

func (v *statusView) names() (names []string) {
	for i := range v.Workflows {
		names = append(names, v.Workflows[i].Name)
	}
	return names
}

// newFlowCard makes the card of a workflow.
func newFlowCard(r *request, draw *picture.Drawer, i int, numbers *source.Numbers) (*flowCard, error) {
	v, w := r.version, &r.version.Workflows[i]
	c := &flowCard{
		ID: fmt.Sprintf("workflow-%d", i+1), Workflow: *w, Published: v.Published,
		Logs:     r.link.Page(r.ref, "logs", "workflow", w.Name),
		Requests: r.link.Page(r.ref, "requests", "workflow", w.Name),
		Metrics:  r.link.Page(r.ref, "metrics", "workflow", w.Name),
		Panel:    newPanel(r, w, numbers),
	}
	flow := picture.Flow{
		ID: c.ID + "-flow", Workflow: w.Name, Entry: v.Entrypoint.State, Published: v.Published,
		Numbers: numbers.Workflows[w.Name], Href: panelPath(r, w.Name, ""), Current: c.Panel != nil && c.Panel.Node == "",
	}
	if c.Cause == v.Cause {
		c.Cause = "" // the page says it above
	}
	for _, name := range w.Nodes {
		step := picture.Step{
			Node: panel.NodeOf(v, name), Href: panelPath(r, w.Name, name), Current: c.Panel != nil && c.Panel.Node == name,
		}
		step.Warning, step.Says = panel.Failing(nodeNumbers(numbers, w.Name, name), numbers.Over)
		flow.Steps = append(flow.Steps, step)
	}
	var err error
	c.Picture, err = draw.Draw(flow)
	return c, err
}

// panelView is the panel of a node or entrypoint, with what is known of it elsewhere.
type panelView struct {
	*panel.Panel
	// Close is the path of the page without it.
	Close string
	Links []tab
	// Warning says that the node fails requests, and Failed is the path of those; both are empty if it
	// fails none.
	Warning, Failed string
	// Calls are the ways to call the workflow, if it is the entrypoint's.
	Calls []describe.Call
}

// entrypointPanel is the value of the query's "show" for the entrypoint's panel, and the name by
// which logs know it.
const entrypointPanel = "entrypoint"

// panelPath is the path of the page with the panel of a node or, without one, the entrypoint.
func panelPath(r *request, workflow, node string) string {
	if node == "" {
		return r.link.Page(r.ref, "", "workflow", workflow, "show", entrypointPanel)
	}
	return r.link.Page(r.ref, "", "workflow", workflow, "node", node)
}

// nodeNumbers are those of a node in a workflow; nil if they are not known.
func nodeNumbers(all *source.Numbers, workflow, node string) *source.NodeNumbers {
	if w := all.Workflows[workflow]; w != nil {
		return w.Nodes[node]
	}
	return nil
}

// newPanel is the panel that the query names, if it is of the workflow.
func newPanel(r *request, w *source.Workflow, numbers *source.Numbers) *panelView {
	query := r.URL.Query()
	name, v := query.Get("node"), &panelView{Close: r.link.Page(r.ref, "")}
	switch {
	case query.Get("workflow") != w.Name:
		return nil
	case query.Get("show") == entrypointPanel:
		v.Panel, name = panel.OfEntrypoint(r.version, w, numbers.Workflows[w.Name]), entrypointPanel
		if protos, err := r.handbook.Protos(r.Context(), r.source, r.ref); err == nil { // else the page of the documentation says why
			v.Calls = handbook.CallsOf(protos, r.version, *w, handbook.Examples(r.Context(), r.source, r.ref))
		}
	case slices.Contains(w.Nodes, name):
		own := nodeNumbers(numbers, w.Name, name)
		if _, v.Warning = panel.Failing(own, numbers.Over); v.Warning != "" {
			v.Failed = r.link.Page(r.ref, "requests", "workflow", w.Name, "node", name, "failed", "1")
		}
		v.Panel = panel.OfNode(panel.NodeOf(r.version, name), own)
	default:
		return nil
	}
	v.Links = []tab{
		{Text: "Logs", Path: r.link.Page(r.ref, "logs", "node", name)},
		{Text: "Requests", Path: r.link.Page(r.ref, "requests", "workflow", w.Name, "node", v.Node)},
		{Text: "Metrics", Path: r.link.Page(r.ref, "metrics", "workflow", w.Name, "node", v.Node)},
	}
	return v
}
