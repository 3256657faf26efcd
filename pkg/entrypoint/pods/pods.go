// Package pods says which pod of a node gets the next request: of those that DNS names and that accept
// requests, the one with the fewest in flight. Pods are looked for while there are requests, and at no
// other time: a version without requests costs nothing, and its nodes can scale to zero.
package pods

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	// lookEvery is how often the pods are looked for, and hurry how often at most once one has failed.
	lookEvery, hurry = time.Second, 100 * time.Millisecond
	// lookTime bounds a look. A pod that has not been asked by then is asked by the next one.
	lookTime = 2 * time.Second
	// staleTime is from when on it is not known which pods there are. It is shorter than the time in which
	// the address of a pod that has ended usually becomes another's.
	staleTime = 10 * time.Second
	// askEvery is how often a pod is asked whether it still accepts requests: one that is about to end says no, while
	// DNS may name it for half a minute.
	askEvery = 2 * time.Second
	// restTime is how long a pod that does not is not asked again, unless DNS has left it out meanwhile.
	restTime = 10 * time.Second
	// avoidTime is how long the others are preferred to a pod that has responded with 5xx.
	avoidTime = time.Second
	// maxPods bounds the pods of a node that one entrypoint calls, and maxAsked how many it asks at a time.
	maxPods, maxAsked = 256, 8
)

// Options are what a [Set] needs. All of them are required.
type Options struct {
	// Lookup returns the addresses of a host; [net.Resolver.LookupNetIP] does.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Ask returns nil if the pod at an address, host:port, accepts requests; [Ask] does.
	Ask func(ctx context.Context, address string) error
	// Gone is called when a pod gets no further request for a while, or none over a connection that it had.
	Gone func(address string)
	// Logger gets why pods are left out.
	Logger *slog.Logger
}

// Set is the pods of a node. Its methods may be called from several goroutines.
type Set struct {
	node       string
	host, port string
	o          Options
	ctx        context.Context // of looks
	stop       context.CancelFunc
	looks      sync.WaitGroup

	mu      sync.Mutex
	pods    []*Pod    // that DNS named last
	turn    int       // the index at which the search for the next begins
	asked   time.Time // when the last look began
	known   time.Time // when DNS responded last
	looking bool
	urgent  bool // a pod has failed since
}

// New returns the pods of the node with that name. They are what the host of address resolves to, and accept
// requests at its port, with its path.
func New(node string, address *url.URL, o Options) *Set {
	s := &Set{node: node, host: address.Hostname(), port: address.Port(), o: o}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends the search for pods. None is picked any more.
func (s *Set) Close() {
	s.mu.Lock()
	s.looking, s.pods = true, nil
	s.stop()
	s.mu.Unlock()
	s.looks.Wait()
}

// Pick returns the pod that is to have the next request, nil if none is known to accept it. The caller
// must call [Pod.Done].
func (s *Set) Pick() *Pod {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if since := now.Sub(s.asked); !s.looking && (since >= lookEvery || s.urgent && since >= hurry) {
		s.looking, s.asked, s.urgent = true, now, false
		s.looks.Go(s.look)
	}
	if now.Sub(s.known) > staleTime {
		return nil
	}
	var best *Pod
	at := 0
	for i := range s.pods {
		index := (s.turn + i) % len(s.pods)
		if p := s.pods[index]; p.state == accepts && (best == nil || p.before(best, now)) {
			best, at = p, index
		}
	}
	if best != nil {
		s.turn = at + 1
		best.inFlight++
	}
	return best
}

// look finds out which pods there are, and which of them accept requests.
func (s *Set) look() {
	ctx, cancel := context.WithTimeout(s.ctx, lookTime)
	defer cancel()
	found, err := s.o.Lookup(ctx, s.host)
	if notFound(err) {
		found, err = nil, nil
	}
	var due []*Pod
	if err == nil {
		due = s.merge(found)
	} else if s.ctx.Err() == nil {
		s.o.Logger.Warn("cannot find out which pods a node has", "node", s.node, "error", err)
	}
	var asking sync.WaitGroup
	free := make(chan struct{}, maxAsked)
	for _, p := range due {
		free <- struct{}{}
		asking.Go(func() {
			defer func() { <-free }()
			if ctx.Err() == nil {
				s.ask(ctx, p)
			}
		})
	}
	asking.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looking = s.ctx.Err() != nil
}

// merge makes the pods those at the addresses found, and returns those that are to be asked.
func (s *Set) merge(found []netip.Addr) (due []*Pod) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil
	}
	s.known = now
	named := make(map[netip.Addr]bool, len(found))
	for _, address := range found {
		named[address.Unmap()] = true
	}
	var left []*Pod
	for _, p := range s.pods {
		if named[p.ip] {
			left = append(left, p)
			delete(named, p.ip)
		} else {
			s.o.Gone(p.URL.Host)
		}
	}
	for _, address := range found {
		if ip := address.Unmap(); named[ip] && len(left) < maxPods {
			left = append(left, s.newPod(ip))
			delete(named, ip)
		}
	}
	s.pods = left
	for _, p := range left {
		if p.due(now) {
			due = append(due, p)
		}
	}
	// Those that do not respond keep no other from being asked.
	slices.SortStableFunc(due, func(a, b *Pod) int { return a.asked.Compare(b.asked) })
	return due
}

// ask asks p whether it accepts requests. One that does not respond in time stays what it is: it may be slow, and
// if its machine is lost, requests find out: sooner by a new connection than by one that it had.
func (s *Set) ask(ctx context.Context, p *Pod) {
	s.mu.Lock()
	p.asked = time.Now()
	s.mu.Unlock()
	err := s.o.Ask(ctx, p.URL.Host)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		p.state, p.at = accepts, time.Now()
	case !slow(err):
		s.rest(p, err)
	case p.state == accepts && ctx.Err() == nil:
		s.o.Gone(p.URL.Host)
	}
}

// rest takes p out. The mutex is held. A pod whose queue-proxy accepts requests again and again, while none can be sent
// to its node, is reported once.
func (s *Set) rest(p *Pod, why error) {
	if p.state == accepts && !p.told {
		p.told = true
		s.o.Logger.Info("a pod of a node accepts no requests; others get them, or else its Knative Service",
			"node", s.node, "address", p.URL.Host, "error", why)
	}
	p.state, p.at = rests, time.Now()
	s.urgent = true
	s.o.Gone(p.URL.Host)
}
