// Package apply tests pkg/apply on a real apiserver.
package apply

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/test/apiserver"
)

// server is the one of all tests; nil without Kubernetes.
var server *apiserver.Server

func TestMain(m *testing.M) {
	apiserver.Main(m, func(s *apiserver.Server) (func() error, error) {
		server = s
		return nil, nil
	}, apiserver.KnativeCRDs())
}

// world is one test's: a namespace, an owner, and an applier over a cache.
type world struct {
	*testing.T
	apply.Applier
	client    client.Client // reads from the cache, as the applier does
	other     client.Client // somebody else's, without a cache and not counted
	namespace string
	owner     *corev1.ConfigMap
	calls     *counter
	stop      func() // ends the cache: it goes stale
}

// newWorld has a cache of the objects that the selector selects; nil for all.
func newWorld(t *testing.T, selector labels.Selector) *world {
	t.Helper()
	apiserver.Need(t)
	w := &world{T: t, calls: &counter{}}
	other, err := server.NewClient()
	require.NoError(t, err)
	w.other = client.WithFieldOwner(other, "somebody")

	w.namespace = apiserver.NewNamespace(t, w.other)

	counted := server.Config()
	counted.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counting{next, w.calls} })
	c, err := cluster.New(counted, func(o *cluster.Options) {
		o.Scheme = apiserver.NewScheme()
		o.Cache = cache.Options{
			DefaultLabelSelector: selector, DefaultTransform: cache.TransformStripManagedFields(),
			DefaultNamespaces: map[string]cache.Config{w.namespace: {}},
		}
	})
	require.NoError(t, err)
	for _, kind := range []client.Object{&corev1.ConfigMap{}, &corev1.Service{}, &appsv1.Deployment{}} {
		require.NoError(t, c.GetFieldIndexer().IndexField(t.Context(), kind, apply.OwnerIndex, apply.IndexOwner))
	}
	stop := apiserver.Run(c)
	w.stop = func() { require.NoError(t, stop()) }
	t.Cleanup(w.stop)
	require.True(t, c.GetCache().WaitForCacheSync(t.Context()), "before it has started it cannot be read")
	w.client, w.Client, w.Live = c.GetClient(), c.GetClient(), c.GetAPIReader()
	w.owner = w.newOwner("owner")
	return w
}

func (w *world) newOwner(name string) *corev1.ConfigMap {
	w.Helper()
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}}
	require.NoError(w, w.other.Create(w.Context(), owner))
	return owner
}

// do applies and wants these changes, each "action Kind/name".
func (w *world) do(desired []client.Object, want ...string) {
	w.Helper()
	result, err := w.Apply(w.Context(), w.owner, desired...)
	require.NoError(w, err)
	require.Equal(w, want, list(result))
}

// list is nil for no change.
func list(r apply.Result) (changes []string) {
	for _, c := range r.Changed {
		changes = append(changes, fmt.Sprintf("%s %s/%s", c.Action, c.Kind, c.Name))
	}
	return changes
}

// live reads an object from the apiserver.
func live[T client.Object](w *world, object T) T {
	w.Helper()
	current := object.DeepCopyObject().(T)
	require.NoError(w, w.other.Get(w.Context(), client.ObjectKeyFromObject(object), current))
	return current
}

// seen waits until the cache has what the apiserver has.
func (w *world) seen(objects ...client.Object) {
	w.Helper()
	for _, object := range objects {
		want := live(w, object).GetResourceVersion()
		require.Eventually(w, func() bool {
			cached := object.DeepCopyObject().(client.Object)
			err := w.client.Get(w.Context(), client.ObjectKeyFromObject(object), cached)
			return err == nil && cached.GetResourceVersion() == want
		}, apiserver.Patience, 5*time.Millisecond, "the cache does not see %T %q", object, object.GetName())
	}
}

// edit has somebody else change an object, and waits until the cache has seen it.
func edit[T client.Object](w *world, object T, change func(T)) {
	w.Helper()
	current := live(w, object)
	change(current)
	require.NoError(w, w.other.Update(w.Context(), current))
	w.seen(object)
}

// counter counts the requests, watches aside.
type counter struct {
	mu    sync.Mutex
	calls []string
}

type counting struct {
	next http.RoundTripper
	*counter
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") == "" {
		c.mu.Lock()
		c.calls = append(c.calls, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("dryRun")))
		c.mu.Unlock()
	}
	return c.next.RoundTrip(r)
}

// since returns the requests since it was last called.
func (c *counter) since() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}
