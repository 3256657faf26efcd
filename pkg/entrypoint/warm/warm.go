// Package warm wakes the nodes of a workflow together. A node that has scaled to zero starts when the
// first request reaches it, so in a chain each would start only once the one before has responded. When an
// event begins its way, a [Chain] sends each later node that may be at zero a request of its own, so that a cold
// chain takes as long as its slowest node, and not the sum.
package warm

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"krt.dev/kn-krt/pkg/entrypoint/record"
)

const (
	// upTime is for how long after a response a node is up for certain: Knative's shortest stable-window,
	// after which it scales to zero, is 6 s.
	upTime = 5 * time.Second
	// restraint is for how long a node that was woken, and then got no event, is not woken again; each time
	// twice as long, up to maxRestraint, unless the waker is [Waker.Shared]. Events that seldom get as far as a node,
	// because of early exits, would otherwise keep it up forever: after its last request it may stay for an hour.
	restraint, maxRestraint = time.Hour, 24 * time.Hour
	// precision is how exactly it is known when a node responded last: noting each response would be dear.
	precision = time.Second
)

// The results of waking a node, as labels of krt_warm_ups_total.
const (
	resultOK     = "ok"
	resultFailed = "failed"
	// resultOvertaken: the event came before the node was up, and waits for it itself.
	resultOvertaken = "overtaken"
)

// Waker wakes the nodes of one version. A nil one wakes none.
type Waker struct {
	nodes  map[string]*node
	client *Client
	atWork func(node string) bool // see Working; nil: it is not known
	shared bool                   // see Shared
	log    *slog.Logger
	count  *prometheus.CounterVec
	work   context.Context // of what is on its way
	end    context.CancelFunc
	left   sync.WaitGroup
}

// node is a node that may be at zero. Times are Unix times in ns.
type node struct {
	name, url string
	up        atomic.Int64 // when it responded last; 0: never
	held      atomic.Int64 // until when it is not woken, because it was and has had no event since; 0: it may be
	busy      atomic.Bool  // a request is on its way
	worked    atomic.Int64 // when an event was known to be there
	// end ends the request that is on its way; nil: there is none.
	end atomic.Pointer[context.CancelFunc]
	// restraint is for how long it is not woken after the next time if it still has had no event, in ns; guarded by busy.
	restraint int64
}

// New returns a waker of nodes: their names, and the URLs of their Knative Services. Nodes that are always
// up are not among them. Close must be called at its end.
func New(nodes map[string]string, log *slog.Logger) (*Waker, error) {
	w := &Waker{
		nodes: make(map[string]*node, len(nodes)), client: NewClient(nil), log: log,
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_warm_ups_total", Help: "Requests that wake a node ahead of an event, by result.",
		}, []string{"node", "result"}),
	}
	w.work, w.end = context.WithCancel(context.Background())
	for name, text := range nodes {
		address, err := url.Parse(text)
		if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
			return nil, fmt.Errorf("node %q: %q is not a URL such as http://service.namespace.svc.cluster.local", name, text)
		}
		w.nodes[name] = &node{name: name, url: text}
		w.count.WithLabelValues(name, resultOK)
		w.count.WithLabelValues(name, resultFailed)
		w.count.WithLabelValues(name, resultOvertaken)
	}
	return w, nil
}

// Working tells a waker how to find out whether an event is at a node, which need not be woken then: a request of ours
// would wait behind that event, and count as load. It must be called before the first Begin. A nil waker needs none.
func (w *Waker) Working(atWork func(node string) bool) {
	if w != nil {
		w.atWork = atWork
	}
}

// Shared tells a waker that an event may continue at another replica, such as one from a queue. Only that one observes its
// record, so what seems to have been in vain need not be: the time until a node is woken again stays as it is. It must be
// called before the first Begin.
func (w *Waker) Shared() { w.shared = true }

// works reports whether an event is at n, as far as it is known. While one is, it is looked again once per precision.
func (w *Waker) works(n *node, at int64) bool {
	if at-n.worked.Load() < int64(precision) {
		return true
	}
	if w.atWork == nil || !w.atWork(n.name) {
		return false
	}
	n.worked.Store(at)
	return true
}

// Arrives is called when an event is about to go to a node's Knative Service. A request of ours that waits there ends: with
// both, Knative would start a second pod of a node whose pods take one request at a time. A nil waker has none.
func (w *Waker) Arrives(node string) {
	if w == nil || w.nodes[node] == nil {
		return
	}
	if end := w.nodes[node].end.Load(); end != nil {
		(*end)()
	}
}

// Close ends what is on its way.
func (w *Waker) Close() {
	w.end()
	w.left.Wait()
}

// Chain are the nodes of a workflow that are woken by its events. A nil one has none.
type Chain struct {
	waker *Waker
	later []*node
}

// Chain returns the chain of a workflow with these steps. The event itself wakes the first of them.
func (w *Waker) Chain(steps []string) *Chain {
	if w == nil || len(steps) < 2 {
		return nil
	}
	c := &Chain{waker: w}
	for i, name := range steps[1:] {
		if n := w.nodes[name]; n != nil && !slices.Contains(steps[:i+1], name) {
			c.later = append(c.later, n)
		}
	}
	if c.later == nil {
		return nil
	}
	return c
}

// Begin is called when an event is about to begin its way, and returns at once.
func (c *Chain) Begin(now time.Time) {
	if c == nil {
		return
	}
	at := now.UnixNano()
	for _, n := range c.later {
		if at-n.up.Load() < int64(upTime) || at < n.held.Load() || c.waker.works(n, at) || !n.busy.CompareAndSwap(false, true) {
			continue
		}
		if n.held.Load() == 0 { // it has had an event since it was woken, or never was
			n.restraint = int64(restraint)
		}
		n.held.Store(at + n.restraint)
		c.waker.left.Add(1)
		work, end := context.WithCancel(c.waker.work)
		n.end.Store(&end)
		go c.waker.wake(work, n)
	}
}

// wake sends the request, whose end says that the node is up. The end of work says that an event is there before that.
func (w *Waker) wake(work context.Context, n *node) {
	defer w.left.Done()
	begin := time.Now()
	err := w.client.Wake(work, n.url)
	now, ended, overtaken := time.Now(), w.work.Err() != nil, err != nil && work.Err() != nil
	(*n.end.Swap(nil))()
	switch {
	case ended, overtaken: // what has reached it is about to respond
	case err != nil:
		n.held.Store(now.Add(upTime).UnixNano())
	case !w.shared:
		n.restraint = min(2*n.restraint, int64(maxRestraint))
	}
	n.busy.Store(false) // before it is counted: what is counted has ended
	if ended {
		return
	}
	if overtaken {
		w.count.WithLabelValues(n.name, resultOvertaken).Inc()
		return
	}
	if err != nil {
		w.count.WithLabelValues(n.name, resultFailed).Inc()
		w.log.Info("a node could not be woken ahead of an event", "node", n.name, "error", err)
		return
	}
	w.count.WithLabelValues(n.name, resultOK).Inc()
	w.log.Debug("a node is up ahead of an event", "node", n.name, "after", now.Sub(begin))
}

// Observe implements [record.Observer]: it notes which nodes have responded, with any delivery.
func (w *Waker) Observe(r *record.Record) {
	for i := range r.Steps {
		s := &r.Steps[i]
		if n := w.nodes[s.Node]; n != nil {
			n.responded(s.Start.Add(s.Wait + s.Run).UnixNano())
		}
	}
}

func (n *node) responded(at int64) {
	if before := n.up.Load(); at-before >= int64(precision) {
		n.up.CompareAndSwap(before, at)
	}
	if n.held.Load() != 0 {
		n.held.Store(0)
	}
}

// Describe implements [prometheus.Collector].
func (w *Waker) Describe(to chan<- *prometheus.Desc) { w.count.Describe(to) }

// Collect implements [prometheus.Collector].
func (w *Waker) Collect(to chan<- prometheus.Metric) { w.count.Collect(to) }
