package local

import (
	"net/http"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/guard"
	source "krt.dev/kn-krt/pkg/dashboard/local"
	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/local"
)

// dashboard returns what the run reports to, which passes it on to next, and the handler of the
// dashboard that shows it; nil without one.
func (o *runOptions) dashboard(next local.Reporter) (local.Reporter, http.Handler) {
	if o.noDashboard {
		return next, nil
	}
	run := source.New(next)
	return run, guard.ThisMachine(dashboard.New(dashboard.Options{
		Sources: dashboard.One(run),
		Prefix:  strings.TrimSuffix(entrypoint.ReservedPath, "/"),
		Title:   "this machine",
		Traces:  o.traces,
	}))
}
