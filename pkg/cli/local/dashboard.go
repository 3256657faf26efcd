package local

import (
	"net/http"
	"strings"
	"sync"

	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/guard"
	source "krt.dev/kn-krt/pkg/dashboard/local"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/local"
)

// dashboard returns what the run reports to, which passes it on to next, and the handler of the
// dashboard that shows it; nil without one.
func (o *runOptions) dashboard(next local.Reporter) (local.Reporter, http.Handler) {
	if o.noDashboard {
		return next, nil
	}
	run := source.New(next)
	// A run may end before anybody opens a page: templates are read for the first one.
	pages := sync.OnceValue(func() http.Handler {
		return dashboard.New(dashboard.Options{
			Sources: dashboard.One(run),
			Prefix:  strings.TrimSuffix(web.ReservedPath, "/"),
			Title:   "this machine",
			One:     true,
			Traces:  o.traces,
		})
	})
	return run, guard.ThisMachine(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pages().ServeHTTP(w, r) }))
}
