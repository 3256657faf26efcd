// Package dashboard_test tries the dashboard's view of a cluster on a real apiserver. No
// controller runs: the tests write the status of versions themselves.
package dashboard_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"

	view "krt.dev/kn-krt/pkg/dashboard/cluster"
)

var (
	server *apiserver.Server
	admin  client.Client
)

func TestMain(m *testing.M) {
	apiserver.Main(m, func(s *apiserver.Server) (func() error, error) {
		var err error
		server = s
		admin, err = s.NewClient()
		return nil, err
	}, apiserver.OurCRDs)
}

// patience is the time within which everything must have happened.
const patience = apiserver.Patience

// newNamespace makes a namespace that is named after the test.
func newNamespace(t *testing.T) string {
	t.Helper()
	apiserver.Need(t)
	return apiserver.NewNamespace(t, admin)
}

// newClient is a client for a namespace of the configuration's user.
func newClient(t *testing.T, config *rest.Config, namespace string) *cluster.Client {
	t.Helper()
	c, err := cluster.New(config, namespace)
	require.NoError(t, err)
	return c
}

// newSource shows what a client's user may see, until the test ends.
func newSource(t *testing.T, c *cluster.Client, namespaces ...string) *view.Source {
	t.Helper()
	s := view.New(c, view.Options{Namespaces: namespaces, Hint: func(namespace string, _ error) string { return "hint in " + namespace }})
	t.Cleanup(s.Close)
	return s
}

// bounded is a context for what must not take forever.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// ours is a right on one of our kinds.
func ours(verb, resource string) cluster.Right {
	return cluster.Right{Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource}
}

// readVersions are the rights of a user who may see versions and nothing else.
func readVersions() []cluster.Right {
	return []cluster.Right{ours("get", "versions"), ours("list", "versions"), ours("watch", "versions")}
}

// create creates a started version with a node, and writes its status as a controller does.
func create(t *testing.T, namespace, name string) source.Ref {
	t.Helper()
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted,
		Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{
			Path: "p.proto", Content: `syntax = "proto3"; package house; service Entrypoint { rpc Price (M) returns (M); } message M {}`,
		}}},
		Config:    v1alpha1.Config{Variables: []string{"CURRENCY"}, Files: []string{"CERT"}},
		Nodes:     []v1alpha1.Node{{Name: "etl", Image: "localhost:5000/etl"}},
		Workflows: []v1alpha1.Workflow{{Name: "price", Entrypoint: "Price", Sequential: []string{"etl"}}},
	}}
	require.NoError(t, admin.Create(t.Context(), v))
	ref := source.Ref{Namespace: namespace, Name: name}
	mark(t, ref, v1alpha1.PhaseStarted, func(*v1alpha1.Version) {})
	return ref
}

// mark writes the version's status: ready but for what f marks.
func mark(t *testing.T, ref source.Ref, phase v1alpha1.Phase, f func(*v1alpha1.Version)) {
	t.Helper()
	apiserver.MarkVersion(t, admin, client.ObjectKey(ref), func(v *v1alpha1.Version) {
		v.Status.Phase = phase
		f(v)
	})
}

// startPod makes a pod of the version's node, as Knative does.
func startPod(t *testing.T, ref source.Ref) {
	t.Helper()
	require.NoError(t, admin.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: ref.Name + "-etl-", Namespace: ref.Namespace,
			Labels: map[string]string{render.LabelVersion: ref.Name, render.LabelNode: "etl"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "user-container", Image: "localhost:5000/etl"}}},
	}))
}

// shown waits until the version is shown as ok wants.
func shown(t *testing.T, s source.Source, ref source.Ref, ok func(*source.Version) bool) *source.Version {
	t.Helper()
	var last *source.Version
	require.True(t, apiserver.Soon(bounded(t), func() bool {
		v, err := s.Version(t.Context(), ref)
		if err == nil {
			last = v
		}
		return err == nil && ok(v)
	}), "last: %+v", last)
	return last
}
