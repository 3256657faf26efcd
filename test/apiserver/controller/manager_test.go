package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/freeport"
)

// replica is one of several controllers, as config/ runs them.
type replica struct {
	*process
	manager.Manager
	probes, metrics string      // host:port
	cut             atomic.Bool // as if its node had lost the network
}

// replica makes a controller that runs once it is told to.
func (c *cluster) replica(t *testing.T, config *rest.Config, elect bool) *replica {
	t.Helper()
	r := &replica{process: &process{}}
	for _, address := range []*string{&r.probes, &r.metrics} {
		var err error
		*address, err = freeport.Address(t.Context(), "127.0.0.1")
		require.NoError(t, err)
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &cable{next, &r.cut} })
	o := options()
	o.LeaderElect, o.ProbeAddr, o.MetricsAddr = elect, r.probes, r.metrics
	mgr, err := controller.New(r.watched(config), o)
	require.NoError(t, err)
	r.Manager = mgr
	return r
}

type cable struct {
	next http.RoundTripper
	cut  *atomic.Bool
}

func (c *cable) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.cut.Load() {
		return nil, errors.New("the network is cut")
	}
	return c.next.RoundTrip(r)
}

// leads reports whether the replica is the one that works.
func (r *replica) leads() bool {
	select {
	case <-r.Elected():
		return true
	default:
		return false
	}
}

// get asks an address of the replica's own for a page.
func get(t *testing.T, url string) (status int, page string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error() // not up yet
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func (r *replica) ready(t *testing.T) bool {
	t.Helper()
	status, _ := get(t, "http://"+r.probes+"/readyz")
	return status == http.StatusOK
}

// account is that of config/.
func (c *cluster) account() *rest.Config { return c.As("krt-system", "krt-controller") }

func TestOneOfTwoReplicasWorks(t *testing.T) {
	apiserver.Need(t)
	p := newPlace(t, shared)
	leader, second := shared.replica(t, shared.account(), true), shared.replica(t, shared.account(), true)
	leader.run(t, leader)
	second.run(t, second)
	require.True(t, p.soon(func() bool { return leader.leads() || second.leads() }))
	if second.leads() {
		leader, second = second, leader
	}
	p.version("v")
	p.started("v")
	require.True(t, p.soon(func() bool { return leader.ready(t) }))
	require.True(t, p.soon(func() bool { return second.ready(t) }), "who waits is ready to")
	require.False(t, second.leads())
	calls, _ := second.since(0, p.namespace)
	require.Empty(t, calls)

	leader.stop()
	require.True(t, p.soon(second.leads))
	p.version("w")
	p.started("w")
	require.True(t, p.soon(func() bool { return second.ready(t) }))
}

// A leader that cannot reach the apiserver gives nothing back: it ends, and the
// other one works once the lease has run out.
func TestAReplicaThatIsCutOffIsReplaced(t *testing.T) {
	apiserver.Need(t)
	p := newPlace(t, shared)
	leader, second := shared.replica(t, shared.account(), true), shared.replica(t, shared.account(), true)
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { ended <- leader.Start(ctx) }()
	require.True(t, p.soon(leader.leads))
	second.run(t, second)
	p.version("v")
	p.started("v")

	leader.cut.Store(true)
	require.ErrorContains(t, <-ended, "leader election lost")
	require.True(t, p.soon(second.leads))
	p.version("w")
	p.started("w")
}

// ignorant is a controller that may not read what it watches, and says that it is not ready.
func ignorant(t *testing.T, p *place) *replica {
	t.Helper()
	r := shared.replica(t, shared.As("krt-system", "nobody"), false)
	r.run(t, r)
	require.True(t, p.soon(func() bool {
		status, page := get(t, "http://"+r.probes+"/readyz")
		return status == http.StatusInternalServerError && strings.Contains(page, "[-]caches failed")
	}))
	return r
}

func TestEndsThoughNothingIsRead(t *testing.T) {
	apiserver.Need(t)
	ignorant(t, newPlace(t, shared)).stop()
}

func TestReadyOnceAllIsRead(t *testing.T) {
	apiserver.Need(t)
	p := newPlace(t, shared)
	r := ignorant(t, p)
	status, _ := get(t, "http://"+r.probes+"/healthz")
	require.Equal(t, http.StatusOK, status, "a restart would not help")
	for path, want := range map[string]int{"healthz/ping": http.StatusOK, "readyz/caches": http.StatusInternalServerError,
		"healthz/": http.StatusOK, "healthz/caches": http.StatusNotFound, "readyz/other": http.StatusNotFound} {
		status, _ = get(t, "http://"+r.probes+"/"+path)
		require.Equal(t, want, status, path)
	}

	// The rights may come later.
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "nobody"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "krt-controller"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "krt-system", Name: "nobody"}},
	}
	require.NoError(t, p.Create(t.Context(), binding))
	t.Cleanup(func() { require.NoError(t, p.Delete(context.Background(), binding)) })
	require.True(t, p.soon(func() bool { return r.ready(t) }))
}

func TestMetricsTellNoSecret(t *testing.T) {
	apiserver.Need(t)
	p := newPlace(t, shared)
	r := shared.replica(t, shared.account(), false)
	r.run(t, r)
	p.secret("v-config", map[string]string{"CURRENCY": "s3cr3t-value", "CERT": "s3cr3t-file"})
	p.version("v", configured)
	p.started("v")
	var page string
	for _, line := range []string{ // of counters, and of a cache: they may come after the phase
		"controller_runtime_reconcile_total{controller=\"version\",result=",
		"controller_runtime_reconcile_total{controller=\"runtime\",result=",
		fmt.Sprintf("\nkrt_version_ready{namespace=%q,version=\"v\"} 1\n", p.namespace),
		"\nkrt_versions{phase=\"Started\"} ",
	} {
		require.True(t, p.soon(func() bool {
			_, page = get(t, "http://"+r.metrics+"/metrics")
			return strings.Contains(page, line)
		}), "%s is missing in\n%s", line, page)
	}
	key := &corev1.Secret{}
	require.True(t, p.read("v-reply", key))
	for _, secret := range []string{"s3cr3t", shared.Token, string(key.Data["key"])} {
		require.NotContains(t, page, secret)
	}
	require.Equal(t, 1, strings.Count(page, p.namespace), "nothing else grows with the cluster's objects")
	p.until("v", (*v1alpha1.Version).IsReady)
}
