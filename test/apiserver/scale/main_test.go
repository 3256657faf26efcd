// Package scale measures the controller on a real apiserver: what it writes when
// nothing has changed, and what it costs to have it make objects.
package scale

import (
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

// cluster is a test's own apiserver.
type cluster struct {
	*testing.T
	server *apiserver.Server
	config *rest.Config
	client client.Client // without a cache
}

func start(t *testing.T) *cluster {
	t.Helper()
	s := apiserver.For(t, apiserver.OurCRDs, apiserver.KnativeCRDs())
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	c, err := s.NewClient()
	require.NoError(t, err)
	// Where the controller keeps the store's key.
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: render.SystemNamespace}}
	require.NoError(t, client.IgnoreAlreadyExists(c.Create(t.Context(), system)))
	return &cluster{T: t, server: s, config: s.Config(), client: c}
}

func (c *cluster) namespace() string {
	c.Helper()
	return apiserver.NewNamespace(c, c.client)
}

// run starts a manager; the function returned stops it.
func (c *cluster) run(mgr manager.Manager, err error) (stop func()) {
	c.Helper()
	require.NoError(c, err)
	end := apiserver.Run(mgr)
	stop = func() { require.NoError(c, end()) }
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
