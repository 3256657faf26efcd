package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/picture"
	"krt.dev/kn-krt/pkg/dashboard/source"
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
	Panel *panel
}

func statusPage() page {
	draw := picture.New()
	return page{
		name: "status", title: "Status", tab: "Status", scripts: []string{"copy.js", "status.js"},
		view: func(r *request) (any, error) { return newStatusView(r, draw) },
		live: func(view any) []fragment { return view.(*statusView).fragments() },
		follow: func(ctx context.Context, r *request, changed func()) error {
			return r.source.FollowNumbers(ctx, r.ref, changed)
		},
	}
}

func newStatusView(r *request, draw *picture.Drawer) (*statusView, error) {
	v := &statusView{Version: r.version, Asked: asked(r)}
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
		Panel:    newPanel(r, w, numbers.Workflows[w.Name]),
	}
	flow := picture.Flow{
		ID: c.ID + "-flow", Workflow: w.Name, Entry: v.Entrypoint.State, Published: v.Published,
		Numbers: numbers.Workflows[w.Name], Href: panelPath(r, w.Name, ""), Current: c.Panel != nil && c.Panel.Node == nil,
	}
	for _, name := range w.Nodes {
		flow.Steps = append(flow.Steps, picture.Step{
			Node: nodeOf(v, name), Href: panelPath(r, w.Name, name), Current: c.Panel != nil && c.Panel.is(name),
		})
	}
	var err error
	c.Picture, err = draw.Draw(flow)
	return c, err
}

// nodeOf is the node of that name; one that the version does not have is stopped.
func nodeOf(v *source.Version, name string) source.Node {
	if at := slices.IndexFunc(v.Nodes, func(n source.Node) bool { return n.Name == name }); at >= 0 {
		return v.Nodes[at]
	}
	return source.Node{Name: name, State: source.Stopped}
}
