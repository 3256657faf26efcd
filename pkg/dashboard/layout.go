package dashboard

import (
	"context"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// sheet is what the layout shows around a page.
type sheet struct {
	Title, Home, Notice, SignOut string
	ReadOnly                     bool
	// Side is the column on the left of a version's pages; nil on other pages.
	Side *side
	// Events is the path of the page's stream; empty if it has none.
	Events  string
	Scripts []string
	Charts  bool
	// View is what the page's "main" shows.
	View any
}

// side is the column of a version: what it is, its pages, and what can be done with it.
type side struct {
	*source.Version
	Tabs    []tab
	Actions []actionButton
	// Possible says that one of them is.
	Possible bool
	// Problem says why the actions are not known.
	Problem string
}

// tab is a link to a page of the version.
type tab struct {
	Text, Path string
	Current    bool
}

// frame is a sheet with what all pages have.
func (d *Dashboard) frame(title string) *sheet {
	o := &d.options
	return &sheet{Title: title, Home: o.Title, Notice: o.Notice, SignOut: o.SignOut, ReadOnly: o.ReadOnly}
}

// sheet makes what is around the page.
func (d *Dashboard) sheet(r *request, p page) *sheet {
	s := d.frame(p.title)
	s.Scripts, s.Charts = p.scripts, p.charts
	if r.version != nil {
		s.Title = strings.TrimPrefix(p.title+" · ", " · ") + r.ref.Name
		s.Side = d.side(r.Context(), r, p)
	}
	return s
}

// side makes the column of the version.
func (d *Dashboard) side(ctx context.Context, r *request, p page) *side {
	s := &side{Version: r.version}
	for _, other := range d.pages {
		if other.tab != "" && (!other.remote || !d.options.One) && (other.only == nil || other.only(r.version)) {
			current := other.name == p.name || other.name == p.under
			s.Tabs = append(s.Tabs, tab{Text: other.tab, Path: d.link.Page(r.ref, other.path), Current: current})
		}
	}
	reasons, err := r.source.Rights(ctx, r.ref)
	if err != nil {
		s.Problem = err.Error()
	}
	s.Actions = buttons(r, r.version, reasons)
	s.Possible = slices.ContainsFunc(s.Actions, func(b actionButton) bool { return b.Reason == "" })
	return s
}

// sideFragments are the live parts of the column.
func sideFragments(s *side) []fragment {
	return []fragment{
		{id: "side-version", template: "side-version", data: s},
		{id: "side-actions", template: "side-actions", data: s},
	}
}
