// Package controller tests the life of versions: the whole controller on a real
// apiserver, with the rights it has in a cluster, and with what else a cluster
// has pretended.
package controller

import (
	"bytes"
	"context"
	"net/http"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// cluster is an apiserver with everything in config/ but the controller.
type cluster struct {
	client.Client
	*apiserver.Server
}

// shared is the one of all tests that need no other; nil without Kubernetes.
var shared *cluster

func TestMain(m *testing.M) { apiserver.Main(m, begin, apiserver.OurCRDs, apiserver.KnativeCRDs()) }

func begin(s *apiserver.Server) (end func() error, err error) {
	if shared, err = newCluster(context.Background(), s); err != nil {
		return nil, err
	}
	players, err := pretend.New(s.Config())
	if err != nil {
		return nil, err
	}
	return apiserver.Run(players), nil
}

// newCluster makes an apiserver with our CRDs one.
func newCluster(ctx context.Context, s *apiserver.Server) (*cluster, error) {
	c, err := s.NewClient()
	if err != nil {
		return nil, err
	}
	if _, err := s.Install(ctx, apiserver.Folder+"/[124]00-*.yaml"); err != nil {
		return nil, err
	}
	// A start fails soon here, but not while a busy machine is at it: what has failed loses its entrypoint
	// until its nodes are ready after all.
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}}
	soon := client.RawPatch(types.MergePatchType, []byte(`{"data": {"start-timeout": "5s"}}`))
	if err := c.Patch(ctx, settings, soon); err != nil {
		return nil, err
	}
	flags := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "knative-serving"}}
	return &cluster{c, s}, c.Create(ctx, flags)
}

// process is a running controller and what it asks of the apiserver.
type process struct {
	stop func()

	mu    sync.Mutex
	calls []string // but for watches and what informers list
}

// options are those of the controller in all tests.
func options() controller.Options {
	return controller.Options{EntrypointImage: "example.com/entrypoint", SwitchWait: time.Hour, SwitchSettle: time.Millisecond}
}

// start runs the controller until the end of the test, with the rights of config/.
func (c *cluster) start(t *testing.T, changes ...func(*controller.Options)) *process {
	t.Helper()
	p, o := &process{}, options()
	for _, change := range changes {
		change(&o)
	}
	mgr, err := controller.New(p.watched(c.As("krt-system", "krt-controller")), o)
	require.NoError(t, err)
	p.run(t, mgr)
	return p
}

// run starts a manager that ends without an error, at the end of the test at the latest.
func (p *process) run(t *testing.T, mgr manager.Manager) {
	stop := apiserver.Run(mgr)
	p.stop = sync.OnceFunc(func() {
		if err := stop(); err != nil {
			var stacks bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Errorf("the controller does not end: %v\n%s", err, &stacks)
		}
	})
	t.Cleanup(p.stop)
}

// watched is a configuration whose clients' calls are kept.
func (p *process) watched(config *rest.Config) *rest.Config {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counter{next, p} })
	return config
}

type counter struct {
	next    http.RoundTripper
	process *process
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	informer := r.Method == http.MethodGet && (r.URL.Query().Has("watch") || r.URL.Query().Has("resourceVersion"))
	if !informer && strings.Contains(r.URL.Path, "/namespaces/") {
		c.process.mu.Lock()
		c.process.calls = append(c.process.calls, r.Method+" "+r.URL.Path)
		c.process.mu.Unlock()
	}
	return c.next.RoundTrip(r)
}

// rests waits until the controller has asked nothing about a namespace for a second, and is not at work.
func (p *process) rests(t *testing.T, namespace string) {
	t.Helper()
	before, quiet := -1, 0
	require.True(t, apiserver.Soon(t.Context(), func() bool {
		calls, _ := p.since(0, namespace)
		if len(calls) != before || !idle(t) {
			before, quiet = len(calls), 0
		} else {
			quiet++
		}
		time.Sleep(10 * time.Millisecond)
		return quiet >= 100
	}), "the controller does not come to rest")
}

// idle reports whether no controller of this process is at work now. What waits in the queue of one that has
// ended is counted for ever.
func idle(t *testing.T) bool {
	t.Helper()
	families, err := metrics.Registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != "controller_runtime_active_workers" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetGauge().GetValue() > 0 {
				return false
			}
		}
	}
	return true
}

// since returns what was asked about a namespace after the first n calls, and how many there are now.
func (p *process) since(n int, namespace string) (calls []string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, call := range p.calls[n:] {
		if strings.Contains(call, "/namespaces/"+namespace+"/") {
			calls = append(calls, call)
		}
	}
	return calls, len(p.calls)
}
