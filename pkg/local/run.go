package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/krt"
)

// How the at most 5 s of an orderly stop are spent: requests in flight may
// finish, then nodes may, then they are killed. Tests take longer.
var (
	drainTime = 3 * time.Second
	stopTime  = 1 * time.Second
)

// ErrKilled is returned by a run that was stopped through Options.Kill.
var ErrKilled = errors.New("stopped by force: requests in flight are lost")

// run is one run of a version.
type run struct {
	o         Options
	source    source
	state     *state
	bundle    *krt.Bundle
	place     place
	listeners entrypoint.Listeners
	storage   *storage
	fleet     *fleet
	builder   *builder
	front     *front // nil without a dashboard
	entry     *entrypoint.Entrypoint
	traces    string               // where they are sent to; "" if none are recorded
	serving   entrypoint.Options   // what gets the requests' records, and gives them their spans
	nodes     map[string]*instance // those that serve
	cpus      int                  // that Go may use; 0: not known yet
	due       change               // what a failed reload of the version left undone
	draining  []<-chan struct{}    // each closed when the requests of an earlier version have ended
}

// Run runs the version at path, a bundle's folder, the manifest in it or a
// packed bundle, until ctx is done; then it stops everything and returns nil if
// all went well.
//
// Before anything starts it checks the bundle (krt.Problems), the config values
// (*configvalue.MissingError) and the ports (*PortError). A node that does not build or
// start (*gobuild.Error, *StartError) ends the run. One that dies later is started
// again, as often as it takes; if it does not run at the end because its starts fail,
// Run's error names it. When ctx is done before the version is ready, the error is ctx's.
func Run(ctx context.Context, path string, o Options) (err error) {
	if o.Reporter == nil {
		return errors.New("cannot run: no Reporter is set")
	}
	source, err := findSource(path)
	if err != nil {
		return err
	}
	r := &run{o: o, source: source}
	defer func() {
		err = errors.Join(err, r.close())
		o.Reporter.Event(Event{Type: EventStopped, Error: err})
		r.front.close()
	}()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	r.limitProcessors()
	defer r.bound(ctx)()
	unobserve, err := r.observe()
	if err != nil {
		return err
	}
	defer unobserve()
	defer r.fleet.stop(stopTime)
	// What is saved while nodes are being built and started counts, too.
	changes, unwatch := r.watch()
	defer unwatch()
	if err := r.start(ctx); err != nil {
		return err
	}
	return r.serve(ctx, changes)
}

// prepare does what can fail without anything having been started.
func (r *run) prepare(ctx context.Context) (err error) {
	if !r.source.packed {
		if r.bundle, err = load(ctx, r.source.path, r.o.Reporter); err != nil {
			return err
		}
	}
	if err := r.openState(); err != nil {
		return err
	}
	if r.source.packed {
		if r.bundle, err = r.source.loadPacked(ctx, r.state, r.o.Reporter); err != nil {
			return err
		}
	}
	r.place = place{storeURL: "unix://" + r.state.socket}
	r.place.maxBytes = r.o.MaxMessageBytes
	if err := r.place.gather(r.o.Config, r.bundle.Manifest, r.state.path("run", "config")); err != nil {
		return err
	}
	if r.listeners, err = r.o.Ports.listen(); err != nil {
		return err
	}
	r.place.replyURL = "http://" + r.listeners.Reply.Addr().String()
	return r.place.findPython(r.bundle, r.o.Reporter)
}

func (r *run) openState() (err error) {
	dir, own := r.o.StateDir, r.o.StateDir == ""
	if own {
		if dir, err = r.source.stateDir(); err != nil {
			return err
		}
	}
	if r.state, err = openState(dir, own); err != nil {
		return err
	}
	r.o.Reporter.Event(Event{Type: EventState, StateDir: r.state.dir})
	return nil
}

// open starts what nodes need.
func (r *run) open() (err error) {
	if r.storage, err = openStorage(r.state); err != nil {
		return err
	}
	policy := defaultRestart()
	if r.o.restart != nil {
		policy = *r.o.restart
	}
	if r.o.StartTimeout > 0 {
		policy.limit = r.o.StartTimeout
	}
	r.fleet = newFleet(r.o.Reporter, policy)
	r.builder = newBuilder(r.state, r.o.Reporter)
	return nil
}

// start builds and starts all nodes, and makes the entrypoint for them.
func (r *run) start(ctx context.Context) error {
	serving := r.describe(r.bundle, r.listeners)
	r.announce(serving)
	r.o.Reporter.Event(Event{Type: EventStarting, Nodes: names(r.bundle.Manifest.Nodes), Bundle: r.bundle, Serving: serving})
	r.front = newFront(r.listeners.Web, r.o.Dashboard, r.logger())
	started, err := r.startNodes(ctx)
	if err != nil {
		return err
	}
	r.nodes = byName(started)
	v, err := r.assemble(r.bundle, r.nodes)
	if err != nil {
		return err
	}
	o := r.serving
	o.Timeout, o.MaxMessageBytes, o.WebOrigins = r.o.RequestTimeout, r.o.MaxMessageBytes, r.o.WebOrigins
	// Retiring connections spreads load over replicas: there is one here. The grace is then
	// that of the stop alone.
	o.ConnectionAge, o.ConnectionGrace = 24*time.Hour, drainTime
	o.Logger, o.Reserved, o.Near = r.logger(), r.o.Dashboard, &r.fleet.links
	r.entry, err = entrypoint.New(v, o)
	return err
}

// startNodes starts those that need no build while the others are built: Python
// nodes may take long to load their models.
func (r *run) startNodes(ctx context.Context) ([]*instance, error) {
	asIs, toBuild := split(r.bundle, r.bundle.Manifest.Nodes)
	var first, second []*instance
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		first, err = r.fleet.start(ctx, r.specs(r.bundle, r.place, asIs, nil))
		return err
	})
	group.Go(func() error {
		binaries, err := r.buildNodes(ctx, r.bundle, toBuild)
		if err != nil {
			return err
		}
		second, err = r.fleet.start(ctx, r.specs(r.bundle, r.place, toBuild, binaries))
		return err
	})
	// What was started is stopped with the fleet when the rest fails.
	err := group.Wait()
	return append(first, second...), err
}

// logger returns the logger of the entrypoint, whose lines are reported like a
// node's.
func (r *run) logger() *slog.Logger {
	out := &child.Lines{Most: maxLine, Each: func(line string) { r.o.Reporter.Line("entrypoint", "stderr", line) }}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{
		Level: r.o.LogLevel,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// serve serves until ctx is done, reloading what changes.
func (r *run) serve(ctx context.Context, changes <-chan []string) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served := make(chan error, 1)
	listeners := r.listeners
	r.listeners = entrypoint.Listeners{} // Serve closes them
	r.front.release()
	go func() { served <- r.entry.Serve(serving, listeners) }()
	r.ready(listeners)

	for {
		select {
		case paths := <-changes:
			r.reload(ctx, paths)
		case err := <-served:
			return err // it ends by itself only when it fails
		case <-ctx.Done():
			r.o.Reporter.Event(Event{Type: EventStopping})
			stop()
			select {
			case err := <-served:
				return errors.Join(err, r.failing())
			case <-r.o.Kill:
				return ErrKilled
			}
		}
	}
}

// failing names the nodes whose starts fail, and that do not serve.
func (r *run) failing() error {
	var names []string
	for name, i := range r.nodes {
		if i.door.refusal.Load() != nil {
			names = append(names, strconv.Quote(name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fmt.Errorf("node %s kept exiting", strings.Join(names, ", "))
}

// bound makes what stops be killed when Options.Kill closes, or when ctx has
// been done for too long, whatever the run is at then. The function it returns
// ends that.
func (r *run) bound(ctx context.Context) func() {
	over := make(chan struct{})
	go func() {
		select {
		case <-r.o.Kill:
		case <-over:
			return
		case <-ctx.Done():
			limit := time.NewTimer(drainTime + stopTime)
			defer limit.Stop()
			select {
			case <-r.o.Kill:
			case <-over:
				return
			case <-limit.C:
			}
		}
		r.fleet.kill()
	}()
	return func() { close(over) }
}

// close gives back what prepare and open took. The nodes are gone.
func (r *run) close() error {
	_ = r.listeners.Close()
	var errs []error
	if r.storage != nil {
		errs = append(errs, r.storage.close())
	}
	if r.state != nil {
		errs = append(errs, r.state.close())
	}
	return errors.Join(errs...)
}
