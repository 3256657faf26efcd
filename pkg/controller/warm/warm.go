// Package warm wakes the nodes of versions before requests reach them, and keeps them up for as long as that is asked
// for. Both are requests through their Knative Services, as those of entrypoints are (pkg/entrypoint/warm): to raise
// their min-scale would make a new Revision of each.
package warm

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/warm"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// Interval is the time between two calls of [Warmer.Wake] that keep a node up: less than Knative's shortest
	// stable-window, 6 s, after which a node without requests scales to zero.
	Interval = 5 * time.Second
	// least is the least time between two requests to a node.
	least = 4 * time.Second
	// fresh is for how long a node counts as up after a response.
	fresh = 30 * time.Second
	// atOnce bounds the requests that are on their way, and atOnceIn those to the nodes of one namespace: a node that
	// starts slowly holds one, and those of one team must not keep others from starting.
	atOnce, atOnceIn = 1000, 100
	// maxWhy bounds the text of an error, in bytes.
	maxWhy = 300
)

// Warmer wakes nodes. It is a runnable of a manager, and its methods may be called from several goroutines.
type Warmer struct {
	client *warm.Client
	work   context.Context // of all requests
	end    context.CancelFunc
	left   sync.WaitGroup

	mu       sync.Mutex
	inFlight int
	in       map[string]int // in flight, by namespace
	versions map[types.UID]map[string]*node
}

// node is what is known of a node.
type node struct {
	busy        bool
	asked       time.Time // when a request was sent last
	up          time.Time // when it responded last
	wanted      time.Time // when it was to be up last
	down        time.Time // since when it has been down, when it was to be up last
	unreachable bool      // no connection to it can be made
	why         string    // the last request has failed; empty: it has not
}

// Down is a node that is not up.
type Down struct {
	Name string
	// Why is why it could not be woken, empty if nothing is known of that.
	Why string
	// Unreachable says that no connection to it can be made, so that there is nothing to wait for.
	Unreachable bool
	// Since is since when the node has been to be up and is not.
	Since time.Time
}

// New returns a Warmer; dial replaces how connections are made, nil for the network.
func New(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Warmer {
	w := &Warmer{client: warm.NewClient(dial), in: map[string]int{}, versions: map[types.UID]map[string]*node{}}
	w.work, w.end = context.WithCancel(context.Background())
	return w
}

// Start implements manager.Runnable: when ctx ends, so do all requests.
func (w *Warmer) Start(ctx context.Context) error {
	<-ctx.Done()
	w.end()
	w.left.Wait()
	return nil
}

// Wake has those nodes of a started version woken that may be at zero, or kept up if it is called at intervals of
// [Interval], and returns those that are not up yet, by name. It does not wait.
func (w *Warmer) Wake(v *v1alpha1.Version, now time.Time) (down []Down) {
	urls := Settings(v).Sleepers(v)
	w.mu.Lock()
	defer w.mu.Unlock()
	nodes := w.versions[v.UID]
	if nodes == nil {
		nodes = map[string]*node{}
		w.versions[v.UID] = nodes
	}
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		n := nodes[name]
		if n == nil {
			n = &node{}
			nodes[name] = n
		}
		if !n.busy && now.Sub(n.asked) >= least && w.room(v.Namespace) && w.work.Err() == nil {
			n.busy, n.asked = true, now
			w.inFlight++
			w.in[v.Namespace]++
			w.left.Add(1)
			go w.ask(n, urls[name], v.Namespace)
		}
		if now.Sub(n.up) > fresh {
			if n.up.After(n.down) || now.Sub(n.wanted) > fresh {
				n.down = now
			}
			down = append(down, Down{Name: name, Why: n.why, Unreachable: n.unreachable, Since: n.down})
		}
		n.wanted = now
	}
	return down
}

// room reports whether one more request may be on its way to a node of the namespace. The mutex is held.
func (w *Warmer) room(namespace string) bool {
	return w.inFlight < atOnce && w.in[namespace] < atOnceIn
}

// ask wakes a node.
func (w *Warmer) ask(n *node, url, namespace string) {
	defer w.left.Done()
	err := w.client.Wake(w.work, url)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inFlight, w.in[namespace] = w.inFlight-1, w.in[namespace]-1; w.in[namespace] == 0 {
		delete(w.in, namespace)
	}
	n.busy, n.why, n.unreachable = false, "", false
	var op *net.OpError
	switch {
	case err == nil:
		n.up = time.Now()
	case errors.As(err, &op):
		n.why, n.unreachable = clip.Text(op.Err.Error(), maxWhy), op.Op == "dial" // without ports, which differ each time
	default:
		n.why = clip.Text(err.Error(), maxWhy)
	}
}

// Keep forgets all other versions than those that exist.
func (w *Warmer) Keep(existing map[types.UID]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.versions, func(uid types.UID, _ map[string]*node) bool { return !existing[uid] })
}

// Settings returns the settings that a version was started with.
func Settings(v *v1alpha1.Version) render.Settings {
	if v.Status.StartedWith == nil {
		return render.DefaultSettings()
	}
	return render.SettingsOf(v.Status.StartedWith.Settings)
}
