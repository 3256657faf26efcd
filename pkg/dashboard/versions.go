package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/link"
	"krt.dev/kn-krt/pkg/dashboard/picture"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// maxRows is how many versions the table shows; the filters find the others.
const maxRows = 500

// versionsView is the table of versions.
type versionsView struct {
	Filter versionFilter
	Rows   []versionRow
	// Shown, Matching and All count versions.
	Shown, Matching, All int
	Namespaces           []string
	States               []source.State
	Heads                []head
	// Numbers is where the numbers come from, or why there are none.
	Numbers string
}

// versionFilter is the query of the page.
type versionFilter struct {
	Text, Namespace, State, Sort string
	Published                    bool
}

// head is a column's head, a link that sorts by it if Path is set.
type head struct {
	Text, Path string
	Current    bool
	// Number says that the column has numbers, and Help what they are.
	Number bool
	Help   string
}

// versionRow is a line of the table.
type versionRow struct {
	source.Version
	// ID is that of the element.
	ID string
	// Up counts the nodes that are ready or asleep.
	Up int
	// Ailing are the names of nodes that have failed, at most three, and how many more have.
	Ailing []string
	More   int
	// Requests and Failures are how many there were, Slowest the time that 95 % did not exceed;
	// empty if that is not known or, of the last two, if there were none.
	Requests, Failures, Slowest string
}

func versionsPage() page {
	return page{
		name: "versions", path: "/{$}", top: true, title: "Versions",
		view:    func(r *request) (any, error) { return newVersionsView(r) },
		instead: onlyVersion,
		live:    func(view any) []fragment { return view.(*versionsView).fragments() },
		follow: []follower{func(ctx context.Context, r *request, changed func()) error {
			return r.source.FollowLoads(ctx, changed)
		}},
	}
}

// onlyVersion is the page of the one version, if there is one and the query does not ask for the table.
func onlyVersion(r *request) string {
	if !r.link.One || r.URL.RawQuery != "" {
		return ""
	}
	all, err := r.source.Versions(r.Context())
	if err != nil || len(all) != 1 {
		return "" // the table says why
	}
	return r.link.Page(all[0].Ref, "")
}

func newVersionsView(r *request) (*versionsView, error) {
	all, err := r.source.Versions(r.Context())
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	f := versionFilter{
		Text: query.Get("q"), Namespace: query.Get("ns"), State: query.Get("state"),
		Sort: query.Get("sort"), Published: query.Has("published"),
	}
	v := &versionsView{Filter: f, All: len(all), States: []source.State{
		source.Ready, source.Asleep, source.Starting, source.Failed, source.Stopping, source.Stopped,
	}}
	v.Namespaces = namespaces(all, "")
	all = slices.DeleteFunc(all, func(v source.Version) bool { return !f.matches(&v) })
	slices.SortStableFunc(all, f.compare)
	v.Matching = len(all)
	all = all[:min(len(all), maxRows)]
	v.Shown = len(all)
	v.addRows(all, r.source)
	v.Heads = f.heads(r.link)
	return v, nil
}

// namespaces are those of the versions, and one more; "" for none.
func namespaces(all []source.Version, more string) (names []string) {
	if more != "" {
		names = append(names, more)
	}
	for i := range all {
		names = append(names, all[i].Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// addRows adds a row for each version.
func (v *versionsView) addRows(all []source.Version, from source.Meters) {
	refs := make([]source.Ref, len(all))
	for i := range all {
		refs[i] = all[i].Ref
	}
	loads := from.Loads(refs)
	v.Numbers = loads.Note
	for i := range all {
		row := newVersionRow(&all[i])
		if load, known := loads.Of[row.Ref]; known {
			row.Requests = cmp.Or(picture.Rate(load.PerSecond), "0")
			row.Failures, row.Slowest = picture.Rate(load.Errors), picture.Duration(load.P95)
		}
		v.Rows = append(v.Rows, row)
	}
}

// matches reports whether the filters let the version through. The text is looked for in its
// name, description and comment.
func (f *versionFilter) matches(v *source.Version) bool {
	if f.Namespace != "" && v.Namespace != f.Namespace || f.Published && !v.Published {
		return false
	}
	if f.State != "" && string(v.State) != f.State {
		return false
	}
	text := strings.ToLower(v.Name + "\n" + v.Description + "\n" + v.Comment)
	return strings.Contains(text, strings.ToLower(f.Text))
}

// compare orders as the query says; by namespace and name, as the source does, if it says nothing.
func (f *versionFilter) compare(a, b source.Version) int {
	switch f.Sort {
	case "age":
		return b.Created.Compare(a.Created)
	case "phase":
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(a.Phase, b.Phase))
	case "published":
		return b.Since.Compare(a.Since)
	}
	return 0
}

// rank puts what needs a person first, then what clients reach.
func rank(v *source.Version) int {
	if v.State != source.Failed && v.Published {
		return 1
	}
	order := []source.State{source.Failed, "", source.Starting, source.Stopping, source.Ready, source.Asleep, source.Stopped}
	return slices.Index(order, v.State)
}

// heads are the columns; the links keep the other filters.
func (f *versionFilter) heads(to link.Links) []head {
	published := ""
	if f.Published {
		published = "1"
	}
	sorted := func(text, by string) head {
		pairs := []string{"all", to.Everything(), "q", f.Text, "ns", f.Namespace, "state", f.State, "published", published, "sort", by}
		return head{Text: text, Path: link.WithQuery(to.Versions(), pairs), Current: f.Sort == by}
	}
	return []head{
		sorted("Name", ""), sorted("Phase", "phase"), sorted("Published since", "published"), {Text: "Nodes ready"},
		{Text: "Requests", Number: true}, {Text: "Failures", Number: true, Help: "failures that are not the client's own"},
		{Text: "95 % within", Number: true, Help: "of the slowest workflow"},
		sorted("Created", "age"), {Text: "Comment"},
	}
}

func newVersionRow(v *source.Version) versionRow {
	row := versionRow{Version: *v, ID: "v:" + v.Namespace + "/" + v.Name}
	for i := range v.Nodes {
		switch v.Nodes[i].State {
		case source.Ready, source.Asleep:
			row.Up++
		case source.Failed:
			if len(row.Ailing) == 3 {
				row.More++
				continue
			}
			row.Ailing = append(row.Ailing, v.Nodes[i].Name)
		}
	}
	return row
}

// fragments are the table, which is sent again when other versions are in it or the reason changes
// why none is, and its rows.
func (v *versionsView) fragments() []fragment {
	var ids strings.Builder
	for i := range v.Rows {
		ids.WriteString(v.Rows[i].ID)
		ids.WriteByte('\n')
	}
	parts := []fragment{
		{id: "count", template: "versions-count", data: v},
		{id: "versions", template: "versions-table", data: v, key: ids.String() + fmt.Sprint(v.All > 0)},
		{id: "numbers", template: "versions-numbers", data: v},
	}
	for i := range v.Rows {
		parts = append(parts, fragment{id: v.Rows[i].ID, template: "versions-row", data: &v.Rows[i]})
	}
	return parts
}
