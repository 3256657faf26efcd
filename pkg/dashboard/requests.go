package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/recent"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/waterfall"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
)

const (
	// maxQuery bounds a value of a query, in bytes.
	maxQuery = 253
	// maxOverview is how many of the last requests of each workflow are shown; a page of one
	// workflow shows all that are kept.
	maxOverview = 15
	// shownID is how much of a request's id a list has.
	shownID = 8
)

// requestsView is the list of requests.
type requestsView struct {
	Ref    source.Ref
	Filter requestFilter
	// Names are the choices of the filters.
	WorkflowNames, NodeNames []string
	Workflows                []workflowRequests
	// Lost is how many requests were missed, Notes are sentences about entrypoints that cannot be
	// asked, Problem says why there are none.
	Lost    int
	Notes   []string
	Problem *failure
	// Waiting says that it is not known yet which requests there are.
	Waiting bool
}

// workflowRequests is the requests of a workflow.
type workflowRequests struct {
	recent.Workflow
	// ID is that of the element, Method the rpc.
	ID, Method string
	Lists      []requestList
}

// requestList is some requests of a workflow.
type requestList struct {
	Kind, Title, Empty string
	Rows               []requestRow
}

// requestRow is a request in a list.
type requestRow struct {
	// ID is that of the element, Path the request's page; empty if it has none.
	ID, Path, Short  string
	End              time.Time
	Code, Duration   string
	Failed           bool
	Steps            template.HTML
	Node, How, Error string
}

// requestFilter is the query of the page.
type requestFilter struct {
	Workflow, Node, Slower string
	Failed                 bool
	// Problem says what is wrong with the query.
	Problem string
}

func requestsPage() page {
	draw := waterfall.New()
	return page{
		name: "requests", path: "requests", title: "Requests", tab: "Requests",
		view:   func(r *request) (any, error) { return newRequestsView(r, draw) },
		live:   func(view any) []fragment { return view.(*requestsView).fragments() },
		keep:   func() any { return newRequestFeed() },
		follow: followRequests,
	}
}

// newRequestFilter reads the query. Values that are too long cannot be names.
func newRequestFilter(r *request) (f requestFilter, filter inspection.Filter) {
	query := r.URL.Query()
	value := func(name string) string { return query.Get(name)[:min(len(query.Get(name)), maxQuery)] }
	f = requestFilter{
		Workflow: value("workflow"), Node: value("node"), Slower: strings.TrimSpace(value("slower")),
		Failed: query.Has("failed"),
	}
	filter = inspection.Filter{Workflow: f.Workflow, Node: f.Node, Failed: f.Failed}
	if f.Slower != "" {
		slower, err := time.ParseDuration(f.Slower)
		if err != nil || slower < 0 {
			f.Problem = `"Slower than" must be a duration such as 250ms or 1.5s.`
		}
		filter.Slower = max(slower, 0)
	}
	return f, filter
}

// newRequestsView makes the view: of what the stream of the page keeps, or of what there is now.
func newRequestsView(r *request, draw *waterfall.Drawer) (*requestsView, error) {
	v := &requestsView{Ref: r.ref}
	var filter inspection.Filter
	v.Filter, filter = newRequestFilter(r)
	for i := range r.version.Workflows {
		v.WorkflowNames = append(v.WorkflowNames, r.version.Workflows[i].Name)
	}
	for i := range r.version.Nodes {
		v.NodeNames = append(v.NodeNames, r.version.Nodes[i].Name)
	}
	var kept recent.View
	if feed, ok := r.kept.(*requestFeed); ok {
		kept, v.Notes, v.Problem, v.Waiting = feed.view()
	} else {
		list, notes, err := r.source.Requests(r.Context(), r.ref, filter)
		if err != nil {
			v.Problem = explain(err)
		}
		kept, v.Notes = recent.Of(list).View(), notes
	}
	v.Lost = kept.Lost
	return v, v.add(r, kept, draw)
}

// add adds the workflows: those of the version in its order, also without requests, then others.
func (v *requestsView) add(r *request, kept recent.View, draw *waterfall.Drawer) error {
	var all []workflowRequests
	for _, w := range r.version.Workflows {
		all = append(all, workflowRequests{Workflow: recent.Workflow{Name: w.Name}, Method: w.Method})
	}
	for _, w := range kept.Workflows {
		at := slices.IndexFunc(all, func(a workflowRequests) bool { return a.Name == w.Name })
		if at < 0 {
			at, all = len(all), append(all, workflowRequests{})
		}
		all[at].Workflow = w
	}
	for i := range all {
		w := &all[i]
		if v.Filter.Workflow != "" && w.Name != v.Filter.Workflow {
			continue
		}
		w.ID = "w:" + w.Name
		if err := w.list(r, v.Filter.Workflow != "", draw); err != nil {
			return err
		}
		v.Workflows = append(v.Workflows, *w)
	}
	return nil
}

// list makes the lists of a workflow.
func (w *workflowRequests) list(r *request, all bool, draw *waterfall.Drawer) error {
	last := w.Last
	if !all {
		last = last[:min(len(last), maxOverview)]
	}
	for _, one := range []struct {
		list requestList
		of   []inspection.Request
	}{
		{requestList{Kind: "failed", Title: "Failed", Empty: "None has failed."}, w.Failures},
		{requestList{Kind: "slowest", Title: "Slowest", Empty: "No requests yet."}, w.Slowest},
		{requestList{Kind: "last", Title: "Last", Empty: "No requests yet."}, last},
	} {
		for i := range one.of {
			row, err := newRequestRow(r, &one.of[i], draw)
			if err != nil {
				return err
			}
			row.ID = fmt.Sprintf("%s:%s:%s", one.list.Kind, w.Name, row.ID)
			one.list.Rows = append(one.list.Rows, row)
		}
		w.Lists = append(w.Lists, one.list)
	}
	return nil
}

// newRequestRow makes a line of a list.
func newRequestRow(r *request, one *inspection.Request, draw *waterfall.Drawer) (requestRow, error) {
	steps, err := draw.Strip(waterfall.Of(one))
	row := requestRow{
		ID: fmt.Sprintf("%s:%d:%v", one.ID, one.Begin.UnixNano(), one.Background), Short: one.ID[:min(len(one.ID), shownID)],
		End: one.End(), Code: one.Code, Duration: legible.Duration(one.Duration()), Failed: one.Failed(), Steps: steps,
		Node: one.Node, How: one.How(), Error: legible.Line(cmp.Or(one.Error, one.Reason), maxRowError),
	}
	if one.ID != "" {
		row.Path = r.link.Page(r.ref, "requests/"+one.ID)
	}
	return row, err
}

// maxRowError bounds the text of an error in a list, in bytes.
const maxRowError = 200

// fragments are the notes, and a part for each workflow.
func (v *requestsView) fragments() []fragment {
	if v.Waiting {
		return nil
	}
	var ids strings.Builder
	for i := range v.Workflows {
		ids.WriteString(v.Workflows[i].ID + "\n")
	}
	parts := []fragment{
		{id: "notes", template: "requests-notes", data: v},
		{id: "requests", template: "requests-workflows", data: v, key: ids.String() + "."},
	}
	for i := range v.Workflows {
		parts = append(parts, fragment{id: v.Workflows[i].ID, template: "requests-workflow", data: &v.Workflows[i]})
	}
	return parts
}
