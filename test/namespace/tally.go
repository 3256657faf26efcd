package namespace

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Tally counts what the nodes of test/e2e/node have handled: each reports the id of every request
// that it gets, and goes on once that is counted.
type Tally struct {
	// URL is the address for a node's environment, TALLY.
	URL string

	mu    sync.Mutex
	times map[string]map[string]int // by node and id
}

// Tally starts one at an address of this machine that pods reach.
func (n *Namespace) Tally() *Tally {
	n.t.Helper()
	n.Inside()
	node := n.Kubectl("get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	listener, err := new(net.ListenConfig).Listen(n.ctx, "tcp", net.JoinHostPort(node, "0"))
	if err != nil {
		n.t.Skipf("needs a process that pods reach, as on the cluster of `make cluster`: %v", err)
	}
	t := &Tally{URL: "http://" + listener.Addr().String(), times: map[string]map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{node}/{id}", func(w http.ResponseWriter, r *http.Request) {
		t.count(r.PathValue("node"), r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	n.t.Cleanup(func() {
		_ = server.Close() // nobody has to know any more
		require.ErrorIs(n.t, <-served, http.ErrServerClosed)
	})
	return t
}

// Three gives a version the workflow three, whose nodes n1, n2 and n3 have the image of its first one and
// report what they handle.
func (t *Tally) Three(v *v1alpha1.Version) {
	node := v.Spec.Nodes[0]
	node.Env = []v1alpha1.EnvVar{{Name: "TALLY", Value: t.URL}}
	node.Scale = &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))}
	v.Spec.Nodes = nil
	for _, name := range []string{"n1", "n2", "n3"} {
		node.Name = name
		v.Spec.Nodes = append(v.Spec.Nodes, node)
	}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "three", Entrypoint: "Three", Sequential: []string{"n1", "n2", "n3"}}}
}

func (t *Tally) count(node, id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.times[node] == nil {
		t.times[node] = map[string]int{}
	}
	t.times[node][id]++
}

// Handled is how many requests a node has handled, and how often more than once.
func (t *Tally) Handled(node string) (requests, repeats int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, times := range t.times[node] {
		requests++
		repeats += times - 1
	}
	return requests, repeats
}

// Missing returns those of the ids that a node has not handled.
func (t *Tally) Missing(node string, ids []string) (missing []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		if t.times[node][id] == 0 {
			missing = append(missing, id)
		}
	}
	return missing
}
