package local

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/krt"
)

// drainLimit bounds how long an instance that was replaced is kept for the
// requests begun with it: their own deadline ends sooner.
const drainLimit = 10 * time.Minute

// watch begins to watch the bundle's folder, if it is to be. Without a watch,
// changes is nil and nothing ever comes.
func (r *run) watch() (changes <-chan []string, stop func()) {
	if r.o.NoReload || r.source.packed {
		return nil, func() {}
	}
	warn := func(text string) { r.o.Reporter.Event(Event{Type: EventWarning, Text: text}) }
	w, err := newWatcher(r.bundle.Dir, r.state.dir, warn, r.o.Output...)
	if err != nil {
		warn("file changes will not be noticed: " + err.Error())
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	return w.changes, func() { cancel(); <-done }
}

// reload makes the version what its files say. What does not start leaves what
// ran before in place.
func (r *run) reload(ctx context.Context, paths []string) {
	c := classify(r.bundle, paths)
	// A change of the version that failed is tried again with whatever is saved
	// next: what was wrong may be mended in any file.
	c.merge(r.due)
	r.due = change{}
	if c.empty() {
		return
	}
	began := time.Now()
	var (
		nodes []string
		err   error
	)
	text := summary(paths)
	if c.version {
		nodes, err = r.reloadVersion(ctx, c, text)
	} else {
		nodes, err = r.reloadNodes(ctx, c, text)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if c.version {
			r.due = c
		}
		r.o.Reporter.Event(Event{Type: EventReloadFailed, Error: err, Nodes: r.down()})
	}
	if err == nil || len(nodes) > 0 {
		r.o.Reporter.Event(Event{Type: EventReloaded, Nodes: nodes, Bundle: r.bundle, Took: time.Since(began)})
	}
}

// down names the nodes that do not run now.
func (r *run) down() (nodes []string) {
	for name, i := range r.nodes {
		if !i.up.Load() {
			nodes = append(nodes, name)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// reloadNodes restarts the changed nodes, each on its own: one that fails
// does not keep the others from being replaced.
func (r *run) reloadNodes(ctx context.Context, c change, text string) ([]string, error) {
	var changed []krt.Node
	for _, n := range r.bundle.Manifest.Nodes {
		if c.nodes[n.Name] {
			changed = append(changed, n)
		}
	}
	r.o.Reporter.Event(Event{Type: EventReloading, Text: text, Nodes: names(changed)})
	asIs, toBuild := split(r.bundle, changed)
	var one, other each
	var wait sync.WaitGroup
	wait.Go(func() { one = r.startEach(ctx, asIs, nil) })
	wait.Go(func() {
		binaries, err := r.buildNodes(ctx, r.bundle, toBuild)
		toBuild = slices.DeleteFunc(toBuild, func(n krt.Node) bool { return binaries[n.Name] == "" })
		other = r.startEach(ctx, toBuild, binaries)
		other.errs = append(other.errs, err)
	})
	wait.Wait()
	started, errs := append(one.started, other.started...), append(one.errs, other.errs...)
	if len(started) > 0 {
		nodes := maps.Clone(r.nodes)
		maps.Copy(nodes, byName(started))
		if err := r.swap(r.bundle, nodes, started); err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
	}
	return sortedKeys(byName(started)), errors.Join(errs...)
}

// each is how it went to start several nodes, each on its own.
type each struct {
	started []*instance
	errs    []error
}

func (r *run) startEach(ctx context.Context, nodes []krt.Node, binaries map[string]string) (all each) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, s := range r.specs(r.bundle, r.place, nodes, binaries) {
		wait.Go(func() {
			instances, err := r.fleet.start(ctx, []spec{s})
			mu.Lock()
			defer mu.Unlock()
			all.started, all.errs = append(all.started, instances...), append(all.errs, err)
		})
	}
	wait.Wait()
	return all
}

// reloadVersion reads everything again and starts the nodes that are not as they
// were. It changes all or nothing.
func (r *run) reloadVersion(ctx context.Context, c change, text string) ([]string, error) {
	b, err := load(ctx, r.bundle.ManifestPath, r.o.Reporter)
	if err != nil {
		return nil, err
	}
	p := r.place
	if err := p.gather(r.o.Config, b.Manifest, r.state.path("run", "config")); err != nil {
		return nil, err
	}
	if err := p.findPython(b, r.o.Reporter); err != nil {
		return nil, err
	}
	binaries, err := r.rebuild(ctx, b, c)
	if err != nil {
		return nil, err
	}
	kept, changed := r.compare(r.specs(b, p, b.Manifest.Nodes, binaries), c)
	nodes := make([]string, len(changed))
	for i, s := range changed {
		nodes[i] = s.node
	}
	r.o.Reporter.Event(Event{Type: EventReloading, Text: text, Nodes: nodes})
	started, err := r.fleet.start(ctx, changed)
	if err != nil {
		return nil, err
	}
	maps.Copy(kept, byName(started))
	if err := r.swap(b, kept, started); err != nil {
		return nil, err
	}
	r.place = p
	return nodes, nil
}

// rebuild returns the binaries of b's Go nodes: those that run where neither
// code nor source has changed, so that their specs stay what they were.
func (r *run) rebuild(ctx context.Context, b *krt.Bundle, c change) (map[string]string, error) {
	var changed []krt.Node
	binaries := map[string]string{}
	for _, n := range b.Manifest.Nodes {
		if old := r.nodes[n.Name]; old != nil && !c.nodes[n.Name] && sameTarget(r.bundle, b, n) {
			binaries[n.Name] = old.spec.args[0]
			continue
		}
		changed = append(changed, n)
	}
	built, err := r.buildNodes(ctx, b, changed)
	maps.Copy(binaries, built)
	return binaries, err
}

// compare separates the instances that stay as they are from the specs to start.
func (r *run) compare(specs []spec, c change) (kept map[string]*instance, changed []spec) {
	kept = map[string]*instance{}
	for _, s := range specs {
		old := r.nodes[s.node]
		if old != nil && !c.nodes[s.node] && old.spec.equal(s) {
			kept[s.node] = old
			continue
		}
		changed = append(changed, s)
	}
	return kept, changed
}

// swap makes the entrypoint send new requests to nodes; the instances that are
// left out end once the requests begun with them have. On error started are
// discarded and all stays as it was.
func (r *run) swap(b *krt.Bundle, nodes map[string]*instance, started []*instance) error {
	v, err := r.assemble(b, nodes)
	var drained <-chan struct{}
	if err == nil {
		drained, err = r.entry.Update(v)
	}
	if err != nil {
		r.fleet.discard(started)
		return err
	}
	// A request may have begun with any of the versions that are not drained yet.
	r.draining = append(slices.DeleteFunc(r.draining, isClosed), drained)
	for name, old := range r.nodes {
		if nodes[name] != old {
			go old.retire(slices.Clone(r.draining), r.fleet.hurry)
		}
	}
	r.bundle, r.nodes = b, nodes
	r.limitProcessors()
	return nil
}

// retire stops the instance once it is no longer needed.
func (i *instance) retire(draining []<-chan struct{}, hurry <-chan struct{}) {
	defer i.stop()
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	for _, drained := range draining {
		select {
		case <-drained:
		case <-limit.C:
			return
		case <-hurry:
			return
		case <-i.ended: // the run is being stopped
			return
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// sameTarget reports whether n is built from the same as the node of its name before.
func sameTarget(before, now *krt.Bundle, n krt.Node) bool {
	old, ok := before.Manifest.Node(n.Name)
	if !ok {
		return false
	}
	a, aGo := gobuild.TargetOf(before, old)
	z, zGo := gobuild.TargetOf(now, n)
	return aGo && zGo && a == z
}

func names(nodes []krt.Node) []string {
	list := make([]string, len(nodes))
	for i, n := range nodes {
		list[i] = n.Name
	}
	return list
}

// summary names what changed, briefly.
func summary(paths []string) string {
	const most = 3
	if slices.Contains(paths, everything) {
		return "the whole folder"
	}
	if len(paths) <= most {
		return strings.Join(paths, ", ")
	}
	return strings.Join(paths[:most], ", ") + ", …"
}
