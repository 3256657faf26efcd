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
	Here, There named
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
		{Title: "Nodes", Rows: pair(nodesOf(v.Version), nodesOf(v.With))},
		{Title: "Workflows", Rows: pair(workflowsOf(v.Version), workflowsOf(v.With))},
		compareConfig(r, ref),
		{Title: "Version", Rows: pair(aboutVersion(v.Version), aboutVersion(v.With))},
	}
	return v, nil
}

// named is one object of a version. Long is what it is, if Text is short for it.
type named struct{ Name, Text, Long string }

// nodesOf has what the nodes run.
func nodesOf(v *source.Version) []named {
	var nodes []named
	for i := range v.Nodes {
		n := &v.Nodes[i]
		long := cmp.Or(n.Image, n.Source, "–")
		text := shortImage(long)
		if n.GPU {
			text, long = text+", GPU", long+", GPU"
		}
		nodes = append(nodes, named{n.Name, text, long})
	}
	return nodes
}

// shortImage shortens the digest of an image to what differs in practice.
func shortImage(image string) string {
	const shown = 12
	name, digest, found := strings.Cut(image, "@sha256:")
	if !found || len(digest) <= shown {
		return image
	}
	return name + "@sha256:" + digest[:shown] + "…"
}

// workflowsOf has the rpcs and the nodes of the workflows.
func workflowsOf(v *source.Version) []named {
	var workflows []named
	for _, w := range v.Workflows {
		text := w.Method + ": " + strings.Join(w.Nodes, " → ")
		workflows = append(workflows, named{w.Name, text, text})
	}
	return workflows
}

// aboutVersion has what is said of the version itself.
func aboutVersion(v *source.Version) []named {
	return []named{{"delivery", v.Delivery, v.Delivery}, {"description", v.Description, v.Description}}
}

// compareConfig compares what both versions declare. Values are not compared: nobody sees them.
func compareConfig(r *request, other source.Ref) comparedTable {
	table := comparedTable{Title: "Config"}
	var both [2][]named
	for i, ref := range []source.Ref{r.ref, other} {
		entries, err := r.source.Config(r.Context(), ref)
		if err != nil {
			table.Problem = err.Error()
			return table
		}
		for _, e := range entries {
			kind := "variable"
			if e.File {
				kind = "file"
			}
			both[i] = append(both[i], named{e.Name, kind, kind})
		}
	}
	table.Rows = pair(both[0], both[1])
	return table
}

// pair puts what has the same name next to each other: the objects of here in their order, then
// those that are only there.
func pair(here, there []named) []comparedRow {
	others := make(map[string]named, len(there))
	for _, other := range there {
		others[other.Name] = other
	}
	var rows []comparedRow
	for _, one := range here {
		other, ok := others[one.Name]
		delete(others, one.Name)
		row := comparedRow{Name: one.Name, Here: one, There: other, Change: differs}
		switch {
		case !ok:
			row.Change = added
		case other == one:
			row.Change = same
		}
		rows = append(rows, row)
	}
	for _, other := range there {
		if _, ok := others[other.Name]; ok {
			rows = append(rows, comparedRow{Name: other.Name, There: other, Change: removed})
		}
	}
	return rows
}
