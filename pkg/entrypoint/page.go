package entrypoint

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/schema"
)

// describePage responds to GET / with what the version offers and how to call it; in
// JSON to clients that ask for JSON.
func (e *Entrypoint) describePage(w http.ResponseWriter, r *http.Request) {
	t := e.table.Load()
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		web.WriteMessage(w, t.describe)
		return
	}
	v := t.view(r.Host)
	if e.options.Advertise == "" { // a single replica: a local run
		v.GRPC = web.Beside(r.Host, e.grpcPort)
	}
	e.page.Write(w, v)
}

// view is what the page shows of t.
func (t *table) view(host string) web.View {
	v := web.View{
		Version: describeVersion(&t.version), Host: host, Protos: slices.Sorted(maps.Keys(t.version.Schema.Sources())),
		Examples: make(map[string]string, len(t.version.Workflows)),
	}
	for _, w := range t.version.Workflows {
		v.Examples[w.Name] = schema.Example(w.Method.Input())
	}
	return v
}
