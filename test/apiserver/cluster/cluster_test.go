// Package cluster_test tries pkg/cluster on a real apiserver. No controller runs: the
// tests write the status of versions themselves.
package cluster_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/test/apiserver"
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

// newClient makes a namespace, named after the test, and a client for it.
func newClient(t *testing.T) *cluster.Client {
	t.Helper()
	apiserver.Need(t)
	c, err := cluster.New(server.Config(), apiserver.NewNamespace(t, admin))
	require.NoError(t, err)
	return c
}

// newVersion is a version with a config variable and a config file.
func newVersion(c *cluster.Client, name string) *v1alpha1.Version {
	return &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.Namespace()}, Spec: v1alpha1.VersionSpec{
		Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}},
		Config:     v1alpha1.Config{Variables: []string{"CURRENCY"}, Files: []string{"CERT"}},
		Nodes:      []v1alpha1.Node{{Name: "etl", Image: "localhost:5000/etl"}},
		Workflows:  []v1alpha1.Workflow{{Name: "price", Entrypoint: "Price", Sequential: []string{"etl"}}},
	}}
}

func values() map[string][]byte {
	return map[string][]byte{"CURRENCY": []byte("EUR"), "CERT": []byte("certificate")}
}

// mark writes the version's status as a controller does.
func mark(t *testing.T, c *cluster.Client, name string, mark func(*v1alpha1.Version)) {
	t.Helper()
	apiserver.MarkVersion(t, admin, client.ObjectKey{Namespace: c.Namespace(), Name: name}, mark)
}

func started(*v1alpha1.Version) {}

func stopped(v *v1alpha1.Version) {
	v.Status.Phase = v1alpha1.PhaseStopped
	v.MarkStopped()
}

func starting(v *v1alpha1.Version) {
	v.Status.Phase = v1alpha1.PhaseStarting
	v.MarkNodeNotReady("etl", v1alpha1.ReasonDeploying, "waiting for its first pod")
}

// published writes that the namespace's Runtime has published what it was asked to.
func published(t *testing.T, c *cluster.Client) {
	t.Helper()
	apiserver.MarkRuntime(t, admin, c.Namespace())
}

// refusedBy requires err to be a refusal by the rule, and returns it.
func refusedBy(t *testing.T, rule cluster.Rule, err error) cluster.RefusedError {
	t.Helper()
	var refused *cluster.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, rule, refused.Rule)
	return *refused
}

// failedWith requires err to be a failed request for the reason, and returns it.
func failedWith(t *testing.T, reason cluster.Reason, err error) cluster.Error {
	t.Helper()
	var failed *cluster.Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, reason, failed.Reason, failed.Error())
	return *failed
}

// bounded is a context for what must not take forever.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
