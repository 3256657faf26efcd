package local

import (
	"cmp"
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/pyrunner"
)

// killPatience bounds how long a hosted node whose processes have been killed is waited for:
// what is left of it ends with this process.
const killPatience = 2 * time.Second

// hosted is a Python node whose front is part of this process. A front of its own would be
// woken twice for each request, which costs more than what it does, and would take as much
// memory as Python does.
type hosted struct {
	cancel context.CancelFunc
	kill   chan struct{}
	done   chan struct{}
	err    error // why it ended; valid after done
}

// limitProcessors sets how many processors Go uses, if the process is the run's alone.
func (r *run) limitProcessors() {
	if r.o.Alone && os.Getenv("GOMAXPROCS") == "" {
		r.cpus = cmp.Or(r.cpus, runtime.GOMAXPROCS(0))
		runtime.GOMAXPROCS(min(r.cpus, busyProcessors(r.bundle)))
	}
}

// busyProcessors returns how many processors a version keeps busy here: no more than it has
// Python workers. With one more, the runtime wakes a second thread for each event on a
// connection, which costs as much as what is to be done for it. Other nodes are faster.
func busyProcessors(b *krt.Bundle) int {
	workers := 0
	for _, n := range b.Manifest.Nodes {
		switch {
		case b.Kind(n) != krt.KindPython:
			return math.MaxInt
		case n.Workers != nil:
			workers += *n.Workers
		default:
			workers++
		}
	}
	return max(1, workers)
}

// host runs the front of a Python node.
func (i *instance) host(last *tail) *hosted {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hosted{cancel: cancel, kill: make(chan struct{}), done: make(chan struct{})}
	output := &child.Lines{Most: maxLine, Each: func(line string) {
		last.add(line)
		i.report.Line(i.spec.node, "stderr", line)
	}}
	o := pyrunner.Options{
		Getenv: lookup(i.spec.env), Environ: i.spec.env, Dir: i.spec.dir, Output: output,
		Listener: i.door.link.Listen(), Kill: h.kill, ShutdownTimeout: i.restart.grace,
	}
	go func() {
		defer close(h.done)
		// Nothing is left to flush: the node's log has whole lines. What has left the processes' group
		// may write more of them even now.
		h.err = pyrunner.Run(ctx, o)
	}()
	return h
}

// lookup returns what os.Getenv is in an environment, whose last of two of a name wins.
func lookup(environ []string) func(string) string {
	values := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			values[name] = value
		}
	}
	return func(name string) string { return values[name] }
}

// Done implements process.
func (h *hosted) Done() <-chan struct{} { return h.done }

// Failure implements process.
func (h *hosted) Failure() error {
	if h.err == nil {
		return errEnded
	}
	return cmp.Or(errors.Unwrap(h.err), h.err) // without the node, which our error names
}

// Stop implements process.
func (h *hosted) Stop(_ os.Signal, grace time.Duration, hurry <-chan struct{}) bool {
	h.cancel()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-h.done:
		return true
	case <-timer.C:
	case <-hurry:
	}
	close(h.kill)
	timer.Reset(killPatience)
	select {
	case <-h.done:
	case <-timer.C:
	}
	return false
}
