// Package scale measures the controller on a real apiserver: what it writes when
// nothing has changed, and what it costs to have it make objects.
package scale

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/apiserver"
)

// cluster is a test's own apiserver.
type cluster struct {
	*testing.T
	config *rest.Config
	scheme *runtime.Scheme
	client client.Client // without a cache
}

func start(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("KRT_KUBE") == "" {
		t.Skip("needs Kubernetes built: make test-api")
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	s, err := apiserver.Start(t.Context(), t.TempDir(), apiserver.Options{Program: os.Getenv("KRT_KUBE"), CRDs: []string{"../../../config/300-*.yaml", os.Getenv("KRT_CRDS")}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	c := &cluster{T: t, scheme: runtime.NewScheme()}
	c.config, err = clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	require.NoError(t, err)
	c.config.QPS = -1
	kinds := runtime.NewSchemeBuilder(clientscheme.AddToScheme, servingv1.AddToScheme, flowsv1.AddToScheme, v1alpha1.AddToScheme)
	require.NoError(t, kinds.AddToScheme(c.scheme))
	c.client, err = client.New(c.config, client.Options{Scheme: c.scheme})
	require.NoError(t, err)
	return c
}

func (c *cluster) namespace() string {
	c.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(c, c.client.Create(c.Context(), ns))
	return ns.Name
}

// run starts a manager; the function returned stops it.
func (c *cluster) run(mgr manager.Manager, err error) (stop func()) {
	c.Helper()
	require.NoError(c, err)
	ctx, cancel := context.WithCancel(c.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(c, <-ended)
	})
	c.Cleanup(stop)
	return stop
}

// writes are the requests that change something.
type writes struct {
	mu   sync.Mutex
	seen []string
}

// watched is a configuration whose clients' writes are counted.
func (w *writes) watched(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodGet {
				w.mu.Lock()
				w.seen = append(w.seen, r.Method+" "+r.URL.String())
				w.mu.Unlock()
			}
			return next.RoundTrip(r)
		})
	})
	return config
}

func (w *writes) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
