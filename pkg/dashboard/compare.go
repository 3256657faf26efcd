package dashboard

import (
	"cmp"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// compareView is two versions of a namespace side by side.
type compareView struct {
	*source.Version
	// With is the other version; nil if there is none.
	With *source.Version
	// Others are the names of all other versions of the namespace, at most maxRows.
	Others []string
	Tables []comparedTable
}

// comparedTable is one kind of objects of both versions. Problem is why it cannot be compared.
type comparedTable struct {
	Title, Problem string
	Rows           []comparedRow
}

// comparedRow is one object: what it is in the version of the page, and in the other one.
type comparedRow struct {
	Name        string
	Here, There string
	Change      change
}

// change is how an object differs: what it has become in the version of the page.
type change string

const (
	same    change = "same"
	differs change = "changed"
	added   change = "only here"
	removed change = "only there"
)

func comparePage() page {
	return page{
		name: "compare", path: "compare", title: "Compare", under: "history",
		view: func(r *request) (any, error) { return newCompareView(r) },
	}
}

func newCompareView(r *request) (*compareView, error) {
	all, err := r.source.Versions(r.Context())
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(v source.Version) bool { return v.Namespace != r.ref.Namespace || v.Name == r.ref.Name })
	v := &compareView{Version: r.version}
	for i := range all[:min(len(all), maxRows)] {
		v.Others = append(v.Others, all[i].Name)
	}
	wanted := r.URL.Query().Get("with")
	if wanted == "" && len(all) > 0 {
		wanted = all[max(0, slices.IndexFunc(all, func(v source.Version) bool { return v.Published }))].Name
	}
	if wanted == "" {
		return v, nil
	}
	ref := source.Ref{Namespace: r.ref.Namespace, Name: wanted}
	if v.With, err = r.source.Version(r.Context(), ref); err != nil {
		return nil, err
	}
	v.Tables = []comparedTable{
		{Title: "Nodes", Rows: compareNamed(nodesOf(v.Version), nodesOf(v.With))},
		{Title: "Workflows", Rows: compareNamed(workflowsOf(v.Version), workflowsOf(v.With))},
		compareConfig(r, ref),
		{Title: "Version", Rows: compareNamed(
			map[string]string{"delivery": v.Delivery, "description": v.Description},
			map[string]string{"delivery": v.With.Delivery, "description": v.With.Description})},
	}
	return v, nil
}

// nodesOf has what a node runs, by its name.
func nodesOf(v *source.Version) map[string]string {
	nodes := map[string]string{}
	for i := range v.Nodes {
		n := &v.Nodes[i]
		text := cmp.Or(n.Image, n.Source, "–")
		if n.GPU {
			text += ", GPU"
		}
		nodes[n.Name] = text
	}
	return nodes
}

// workflowsOf has the rpc and the nodes of a workflow, by its name.
func workflowsOf(v *source.Version) map[string]string {
	workflows := map[string]string{}
	for _, w := range v.Workflows {
		workflows[w.Name] = w.Method + ": " + strings.Join(w.Nodes, " → ")
	}
	return workflows
}

// compareConfig compares what both versions declare. Values are not compared: nobody sees them.
func compareConfig(r *request, other source.Ref) comparedTable {
	table := comparedTable{Title: "Config"}
	var both [2]map[string]string
	for i, ref := range []source.Ref{r.ref, other} {
		entries, err := r.source.Config(r.Context(), ref)
		if err != nil {
			table.Problem = err.Error()
			return table
		}
		both[i] = map[string]string{}
		for _, e := range entries {
			both[i][e.Name] = "variable"
			if e.File {
				both[i][e.Name] = "file"
			}
		}
	}
	table.Rows = compareNamed(both[0], both[1])
	return table
}

// compareNamed pairs what has the same name, in the order of names.
func compareNamed(here, there map[string]string) []comparedRow {
	var rows []comparedRow
	for name, text := range here {
		other, ok := there[name]
		row := comparedRow{Name: name, Here: text, There: other, Change: differs}
		switch {
		case !ok:
			row.Change = added
		case other == text:
			row.Change = same
		}
		rows = append(rows, row)
	}
	for name, text := range there {
		if _, ok := here[name]; !ok {
			rows = append(rows, comparedRow{Name: name, There: text, Change: removed})
		}
	}
	slices.SortFunc(rows, func(a, b comparedRow) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}
