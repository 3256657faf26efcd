package cluster_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
)

// Who a request is made as, and how the cluster responds to that.
func TestIdentities(t *testing.T) {
	c := newClient(t)
	ctx := bounded(t)
	options := cluster.Options{Kubeconfig: server.Kubeconfig, Namespace: c.Namespace()}
	connect := func(change func(*cluster.Options)) *cluster.Client {
		t.Helper()
		o := options
		change(&o)
		c, err := cluster.Connect(o)
		require.NoError(t, err)
		return c
	}
	_, err := connect(func(*cluster.Options) {}).List(ctx)
	require.NoError(t, err)
	_, err = connect(func(o *cluster.Options) { o.As = cluster.User{Name: "nobody", Groups: []string{"no-group"}} }).List(ctx)
	require.Equal(t, c.Namespace(), failedWith(t, cluster.ReasonForbidden, err).Namespace)

	// A token replaces the administrator's of the kubeconfig.
	_, err = connect(func(o *cluster.Options) { o.Token = "nobody's" }).List(ctx)
	failedWith(t, cluster.ReasonUnauthorized, err)
	_, err = connect(func(o *cluster.Options) { o.Token = server.Token }).List(ctx)
	require.NoError(t, err)

	err = c.In("nowhere").Create(ctx, newVersion(c.In("nowhere"), "a"), nil)
	failedWith(t, cluster.ReasonNamespaceNotFound, err)
	away := server.Config()
	away.Host = "https://127.0.0.1:1"
	gone, err := cluster.New(away, c.Namespace())
	require.NoError(t, err)
	_, err = gone.List(ctx)
	failedWith(t, cluster.ReasonUnreachable, err)
	require.EqualError(t, err, "cannot list versions: cannot reach the cluster at https://127.0.0.1:1: connection refused")

	_, err = cluster.Connect(cluster.Options{Kubeconfig: server.Kubeconfig, Context: "tset"})
	var kubeconfig *cluster.KubeconfigError
	require.ErrorAs(t, err, &kubeconfig)
	require.Equal(t, []string{"test"}, kubeconfig.Contexts)
	_, err = cluster.Connect(cluster.Options{Kubeconfig: "nowhere"})
	require.ErrorAs(t, err, &kubeconfig)
	require.ErrorContains(t, err, "cannot read the kubeconfig: ")
}

// meddler changes what is published just before a patch does.
type meddler struct {
	next   http.RoundTripper
	meddle func()
}

func (m *meddler) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPatch {
		m.meddle()
	}
	return m.next.RoundTrip(r)
}

// What somebody else has published meanwhile is not undone unseen.
func TestConflict(t *testing.T) {
	c := newClient(t)
	ctx := bounded(t)
	v := newVersion(c, "a")
	v.Spec.State = v1alpha1.StateStarted
	require.NoError(t, c.Create(ctx, v, values()))
	mark(t, c, "a", started)
	r := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: c.Namespace()}}
	require.NoError(t, admin.Create(ctx, r))
	meddling, err := cluster.Connect(cluster.Options{Kubeconfig: server.Kubeconfig, Namespace: c.Namespace(),
		Wrap: func(next http.RoundTripper) http.RoundTripper {
			return &meddler{next: next, meddle: func() {
				changed := r.DeepCopy()
				changed.Spec.PublishedVersion = "b"
				require.NoError(t, admin.Patch(ctx, changed, client.MergeFrom(r)))
			}}
		}})
	require.NoError(t, err)
	_, err = meddling.Publish(ctx, "a", "")
	failedWith(t, cluster.ReasonConflict, err)
	require.ErrorContains(t, err, `cannot publish version "a": somebody else changed what is published in namespace "testconflict-`)
}
