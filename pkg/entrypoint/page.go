package entrypoint

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"krt.dev/kn-krt/pkg/schema"
)

//go:embed page.html
var pageSource string

// page answers GET /: what the version offers and how to call it; as JSON for
// who asks for that.
func (e *Entrypoint) page(w http.ResponseWriter, r *http.Request) {
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
	var out bytes.Buffer
	if err := e.pageTemplate.Execute(&out, t.pageView(r.Host)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(out.Bytes())
}

func parsePage() (*template.Template, error) {
	return template.New("page").Parse(pageSource)
}

// pageView is what page.html shows.
type pageView struct {
	Name, Namespace, Description, Host string
	Workflows                          []workflowView
	Protos                             []string
}

type workflowView struct {
	Name, RPC, Path, Input, Output, Example string
	Nodes                                   []string
}

func (t *table) pageView(host string) pageView {
	v := pageView{
		Name: t.version.Name, Namespace: t.version.Namespace, Description: t.version.Description,
		Host: host, Protos: sortedKeys(t.version.Schema.Sources()),
	}
	for _, w := range t.version.Workflows {
		view := workflowView{
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

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
