package dashboard

import (
	"slices"

	"krt.dev/kn-krt/pkg/dashboard/difference"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// compareView is two versions of a namespace side by side.
type compareView struct {
	*source.Version
	// With is the other version; nil if there is none.
	With *source.Version
	// Others are the names of all other versions of the namespace, at most maxRows.
	Others []string
	Tables []difference.Table
}

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
	v.Tables = []difference.Table{
		difference.Nodes(v.Version, v.With), difference.Workflows(v.Version, v.With), compareConfig(r, ref),
		difference.About(v.Version, v.With),
	}
	return v, nil
}

// compareConfig compares what both versions declare.
func compareConfig(r *request, other source.Ref) difference.Table {
	here, err := r.source.Config(r.Context(), r.ref)
	if err != nil {
		return difference.NoConfig(err)
	}
	there, err := r.source.Config(r.Context(), other)
	if err != nil {
		return difference.NoConfig(err)
	}
	return difference.Config(here, there)
}
