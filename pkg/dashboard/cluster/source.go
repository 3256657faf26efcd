// Package cluster shows the dashboard the versions of a cluster, with the rights of one user.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/meter"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

const (
	// lookAgain is after what time the namespaces of a user who may not read all at once are
	// looked for again.
	lookAgain = time.Minute
	// maxNamespaces is how many namespaces are followed one by one.
	maxNamespaces = 100
)

// Source shows the versions of some namespaces, or of all that the user may read. What it
// shows is kept up to date by one watch for each kind of object and namespace.
type Source struct {
	client  *cluster.Client
	options Options
	reviews reviews
	meter   *meter.Meter

	ctx   context.Context
	end   context.CancelFunc
	ended sync.WaitGroup
	// looked is closed once it is known which namespaces the user may read.
	looked chan struct{}
	mu     sync.Mutex
	scopes map[string]*scope // by namespace; "" is all
	pages  map[*page]struct{}
}

// page is somebody who waits for changes.
type page struct {
	ref     source.Ref
	changed chan struct{}
}

// New returns a source of the versions of a cluster, with the rights of the client's user. It
// follows them until it is closed.
func New(c *cluster.Client, o Options) *Source {
	o.Review = cmp.Or(o.Review, rightsTime)
	s := &Source{
		client: c.GivingUp(cmp.Or(o.Silence, silence)), options: o,
		scopes: map[string]*scope{}, pages: map[*page]struct{}{}, looked: make(chan struct{}),
	}
	s.meter = meter.New(s.reader)
	s.ctx, s.end = context.WithCancel(context.Background())
	for _, namespace := range o.Namespaces {
		s.follow(namespace)
	}
	if len(o.Namespaces) > 0 {
		close(s.looked)
	} else {
		s.follow(metav1.NamespaceAll)
		s.ended.Go(func() { s.look(s.ctx) })
	}
	return s
}

// Close ends all watches.
func (s *Source) Close() {
	s.end()
	s.ended.Wait()
	s.mu.Lock()
	scopes := s.scopes
	s.scopes = nil
	s.mu.Unlock()
	for _, scope := range scopes {
		scope.close()
	}
}

// follow begins to follow a namespace, unless it is followed already.
func (s *Source) follow(namespace string) *scope {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.scopes[namespace]
	if known == nil && s.scopes != nil && (len(s.scopes) <= maxNamespaces || s.makeRoom()) {
		known = newScope(s.client.In(namespace), s.options.Review, s.changed)
		s.scopes[namespace] = known
	}
	return known
}

// makeRoom ends the watches of a namespace that the user may not read any more, such as one that was deleted, and
// reports whether there was one. s is locked.
func (s *Source) makeRoom() bool {
	for namespace, scope := range s.scopes {
		if namespace != metav1.NamespaceAll && isForbidden(scope.versions.failure()) {
			delete(s.scopes, namespace)
			scope.end() // and does not wait: its watches may be about to lock s
			return true
		}
	}
	return false
}

// look follows the namespaces of a user who may not read those of all: that of the client,
// and, if they may be listed, the others in which the user may read versions.
func (s *Source) look(ctx context.Context) {
	for first := true; ctx.Err() == nil; first = false {
		if s.allDenied(ctx) {
			for _, namespace := range s.readable(ctx) {
				s.follow(namespace)
			}
			s.changed(source.Ref{})
		}
		if first {
			close(s.looked)
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
	}
}

// allDenied reports whether the user may not read the versions of all namespaces at once.
func (s *Source) allDenied(ctx context.Context) bool {
	s.mu.Lock()
	all := s.scopes[metav1.NamespaceAll]
	s.mu.Unlock()
	_, err := all.read(ctx, func(source.Ref) bool { return false })
	return isForbidden(err)
}

// readable are the namespaces in which the user may read versions.
func (s *Source) readable(ctx context.Context) []string {
	names, err := s.client.Namespaces(ctx)
	if err != nil {
		return []string{s.client.Namespace()}
	}
	var readable []string
	for _, name := range names {
		missing, err := s.client.In(name).Missing(ctx, []cluster.Right{cluster.ListVersions()})
		if err == nil && len(missing) == 0 {
			readable = append(readable, name)
		}
	}
	return readable
}

func isForbidden(err error) bool {
	var failed *cluster.Error
	return errors.As(err, &failed) && failed.Reason == cluster.ReasonForbidden
}

// changed tells the pages that show the version, or with parts of a ref any of them.
func (s *Source) changed(ref source.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.pages {
		if p.ref.Namespace != "" && ref.Namespace != "" && p.ref.Namespace != ref.Namespace ||
			p.ref.Name != "" && ref.Name != "" && p.ref.Name != ref.Name {
			continue
		}
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
}

// Watch implements [source.Source]. It does not end while the cluster is away: what is shown
// of it changes then, too.
func (s *Source) Watch(ctx context.Context, ref source.Ref, changed func()) error {
	p := &page{ref: ref, changed: make(chan struct{}, 1)}
	s.mu.Lock()
	s.pages[p] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pages, p)
	}()
	for {
		changed()
		select {
		case <-ctx.Done():
			return nil
		case <-s.ctx.Done():
			return errClosed
		case <-p.changed:
		}
	}
}

// errClosed is the error of a source that is used after it was closed.
var errClosed = errors.New("the dashboard has ended")

// Versions implements [source.Source]. Namespaces that the user may not read are left out,
// unless there are no others.
func (s *Source) Versions(ctx context.Context) ([]source.Version, error) {
	select {
	case <-s.looked:
	case <-s.ctx.Done():
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var all []seen
	var failed error
	read := 0
	for _, scope := range s.present() {
		found, err := scope.read(ctx, func(source.Ref) bool { return true })
		switch {
		case err == nil:
			read++
			all = append(all, found...)
		case failed == nil:
			failed = err
		}
	}
	if read == 0 {
		return nil, s.explain(source.Ref{}, cmp.Or(failed, errClosed))
	}
	versions := make([]source.Version, len(all))
	for i := range all {
		versions[i] = all[i].show()
	}
	slices.SortFunc(versions, func(a, b source.Version) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return slices.CompactFunc(versions, func(a, b source.Version) bool { return a.Ref == b.Ref }), nil
}

// present are the scopes in the order of their namespaces.
func (s *Source) present() []*scope {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.scopes {
		names = append(names, name)
	}
	slices.Sort(names)
	var scopes []*scope
	for _, name := range names {
		scopes = append(scopes, s.scopes[name])
	}
	return scopes
}

// Version implements [source.Source].
func (s *Source) Version(ctx context.Context, ref source.Ref) (*source.Version, error) {
	found, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	shown := found.show()
	return &shown, nil
}

// scopeOf returns the scope that has the namespace; nil if it is not one of those shown. A
// user who may not read all namespaces may still name one.
func (s *Source) scopeOf(ctx context.Context, namespace string) (*scope, error) {
	s.mu.Lock()
	known, all := s.scopes[namespace], s.scopes[metav1.NamespaceAll]
	s.mu.Unlock()
	switch {
	case known != nil || all == nil:
		return known, nil
	case !s.allDenied(ctx):
		return all, nil
	}
	missing, err := s.client.In(namespace).Missing(ctx, []cluster.Right{cluster.ListVersions()})
	if err != nil || len(missing) > 0 {
		return nil, err
	}
	return s.follow(namespace), nil
}

// shows reports whether the versions of a namespace are shown, as far as the user may read
// them.
func (s *Source) shows(namespace string) bool {
	return len(s.options.Namespaces) == 0 || slices.Contains(s.options.Namespaces, namespace)
}
