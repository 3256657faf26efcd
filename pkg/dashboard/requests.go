package dashboard

import (
	"context"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/recent"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/waterfall"
)

// requestsView is the list of requests.
type requestsView struct {
	Ref    source.Ref
	Filter recent.Filter
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
	// Unread says that it is not known which there are.
	Unread bool
	Lists  []recent.List
}

func requestsPage() page {
	draw := waterfall.New()
	return page{
		name: "requests", path: "requests", title: "Requests", tab: "Requests",
		view: func(r *request) (any, error) { return newRequestsView(r, draw) },
		live: func(view any) []fragment { return view.(*requestsView).fragments() },
		keep: func() any { return recent.NewFeed() },
		follow: []follower{func(ctx context.Context, r *request, changed func()) error {
			_, filter := recent.ParseFilter(r.URL.Query())
			r.kept.(*recent.Feed).Follow(ctx, recent.Version{Source: r.source, Ref: r.ref}, filter, changed)
			return nil
		}},
	}
}

// newRequestsView makes the view: of what the stream of the page keeps, or of what there is now.
func newRequestsView(r *request, draw *waterfall.Drawer) (*requestsView, error) {
	v := &requestsView{Ref: r.ref}
	f, filter := recent.ParseFilter(r.URL.Query())
	v.Filter = f
	for i := range r.version.Workflows {
		v.WorkflowNames = append(v.WorkflowNames, r.version.Workflows[i].Name)
	}
	for i := range r.version.Nodes {
		v.NodeNames = append(v.NodeNames, r.version.Nodes[i].Name)
	}
	var now recent.State
	if feed, ok := r.kept.(*recent.Feed); ok {
		now = feed.State()
	} else {
		list, notes, err := r.source.Requests(r.Context(), r.ref, filter)
		now = recent.State{View: recent.Of(list).View(), Notes: notes, Err: err}
	}
	if now.Err != nil {
		v.Problem = explain(now.Err)
	}
	v.Lost, v.Notes, v.Waiting = now.Lost, now.Notes, now.Waiting
	return v, v.add(r, now.View, draw)
}

// add adds the workflows: those of the version in its order, also without requests, then others.
func (v *requestsView) add(r *request, kept recent.View, draw *waterfall.Drawer) (err error) {
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
	lister := recent.Lister{
		Draw: draw, All: v.Filter.Workflow != "",
		Path: func(id string) string { return r.link.Request(r.ref, id) },
	}
	for _, w := range all {
		if v.Filter.Workflow != "" && w.Name != v.Filter.Workflow {
			continue
		}
		w.ID, w.Unread = "w:"+w.Name, v.Problem != nil
		if w.Lists, err = lister.Lists(&w.Workflow); err != nil {
			return err
		}
		v.Workflows = append(v.Workflows, w)
	}
	return nil
}

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
