package telemetry

import (
	"log/slog"
	"os"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint"
)

// closeLimit is how long the last spans may take to be sent at the end.
const closeLimit = 2 * time.Second

// Extend adds to the options of an entrypoint in a pod what records its traces, if the
// environment switches it on. The function it returns sends the last spans. A variable that
// cannot be used is logged: no version stands still because its traces are not recorded.
func Extend(v entrypoint.Version, o *entrypoint.Options) (end func()) {
	pod, _ := os.Hostname() // a pod's is its name
	r, err := FromEnvironment(Process{Namespace: v.Namespace, Pod: pod}, slog.Default())
	if err != nil {
		slog.Warn("traces are not recorded", "error", err)
	}
	if r == nil {
		return func() {}
	}
	r.AddTo(o)
	return func() { r.Close(closeLimit) }
}

// AddTo makes r what records the traces of the entrypoint with these options.
func (r *Recorder) AddTo(o *entrypoint.Options) {
	o.Tracer = r
	o.Observers = append(o.Observers, r)
	o.Collectors = append(o.Collectors, r)
}
