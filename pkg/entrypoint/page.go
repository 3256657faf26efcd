package entrypoint

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/schema"
)

// describePage responds to GET / with what the version offers and how to call it; in
// JSON to clients that ask for JSON.
func (e *Entrypoint) describePage(w http.ResponseWriter, r *http.Request) {
	t := e.table.Load()
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		body, err := protojson.Marshal(t.describe)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n'))
		return
	}
	e.page.Write(w, t.view(r.Host))
}

// view is what the page shows of t.
func (t *table) view(host string) web.View {
	v := web.View{
		Name: t.version.Name, Namespace: t.version.Namespace, Description: t.version.Description,
		Host: host, Protos: sortedKeys(t.version.Schema.Sources()),
	}
	for _, w := range t.version.Workflows {
		view := web.WorkflowView{
			Name: w.Name, Path: methodPath(w.Method), RPC: methodPath(w.Method)[1:],
			Input: string(w.Method.Input().FullName()), Output: string(w.Method.Output().FullName()),
			Example: schema.Example(w.Method.Input()),
		}
		for _, s := range w.Steps {
			view.Nodes = append(view.Nodes, s.Node)
		}
		v.Workflows = append(v.Workflows, view)
	}
	return v
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
