// Package uninstall_test removes kn-krt from a real apiserver, which no other test uses meanwhile.
package uninstall_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestUninstall(t *testing.T) {
	server := apiserver.For(t, apiserver.OurCRDs)
	admin, err := server.NewClient()
	require.NoError(t, err)
	namespace := apiserver.NewNamespace(t, admin)
	_, err = server.Install(t.Context(), apiserver.Folder+"/[^3]*.yaml", apiserver.Folder+"/dashboard/*.yaml")
	require.NoError(t, err)
	c, err := cluster.New(server.Config(), namespace)
	require.NoError(t, err)
	v := &v1alpha1.Version{
		ObjectMeta: metav1.ObjectMeta{Name: "one", Namespace: namespace, Finalizers: []string{"krt.dev/drain"}},
		Spec: v1alpha1.VersionSpec{
			Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}},
			Nodes:      []v1alpha1.Node{{Name: "etl", Image: "localhost:5000/etl"}},
			Workflows:  []v1alpha1.Workflow{{Name: "price", Entrypoint: "Price", Sequential: []string{"etl"}}},
		},
	}
	require.NoError(t, admin.Create(t.Context(), v))
	r := &v1alpha1.Runtime{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: namespace}, Spec: v1alpha1.RuntimeSpec{PublishedVersion: "one"},
	}
	require.NoError(t, admin.Create(t.Context(), r))
	r.Status.PublishedVersion = "zero" // until "one" is ready
	require.NoError(t, admin.Status().Update(t.Context(), r))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "krt-store-key", Namespace: cluster.SystemNamespace}}
	require.NoError(t, admin.Create(t.Context(), secret))

	found, err := c.Installation(t.Context())
	require.NoError(t, err)
	one := types.NamespacedName{Namespace: namespace, Name: "one"}
	require.Equal(t, cluster.Installation{
		Versions: []types.NamespacedName{one}, Published: []types.NamespacedName{one, {Namespace: namespace, Name: "zero"}},
	}, found)

	// One that was created after all others were deleted would never end without the controller.
	none := func(kind, name string) { t.Errorf("deleted %s %s", kind, name) }
	require.ErrorContains(t, c.Uninstall(t.Context(), none), `version "one" in namespace "`+namespace+`" is not deleted`)

	// No controller drains it, so it stays until its finalizers are removed.
	require.NoError(t, c.Delete(t.Context(), "one"))
	require.NoError(t, admin.Get(t.Context(), one, v))
	require.NoError(t, c.Release(t.Context(), "one"))
	require.True(t, client.IgnoreNotFound(admin.Get(t.Context(), one, v)) == nil)
	require.NoError(t, c.Release(t.Context(), "one"), "it is gone")

	// What a runtime owns is waited for, too: Kubernetes would not delete it once the kind is gone.
	service := render.ActiveEntrypoint(r, "one")
	service.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(r, v1alpha1.GroupVersion.WithKind("Runtime"))}
	require.NoError(t, admin.Create(t.Context(), service))
	waiting, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	config := server.Config()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/api/v1/services" {
				if asked++; asked == 2 { // it has seen the Service, and looks again
					cancel()
				}
			}
			return next.RoundTrip(r)
		})
	})
	waiter, err := cluster.New(config, namespace)
	require.NoError(t, err)
	require.ErrorContains(t, waiter.Collected(waiting), "Service "+namespace+"/active-entrypoint of a deleted version or runtime")
	require.True(t, apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(r), r)), "the runtime is deleted")
	require.NoError(t, admin.Delete(t.Context(), service)) // as Kubernetes does

	var deleted []string
	require.NoError(t, c.Uninstall(t.Context(), func(kind, name string) { deleted = append(deleted, kind+" "+name) }))
	require.Equal(t, "Deployment krt-controller", deleted[0])
	kinds := []string{"CustomResourceDefinition runtimes.krt.dev", "CustomResourceDefinition versions.krt.dev"}
	require.Equal(t, kinds, deleted[len(deleted)-2:], "they are the last")
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(secret), secret), "Secrets are kept")

	// A second time there is nothing left, and nothing fails.
	found, err = c.Installation(t.Context())
	require.NoError(t, err)
	require.Equal(t, cluster.Installation{}, found)
	deleted = nil
	require.NoError(t, c.Uninstall(t.Context(), func(kind, name string) { deleted = append(deleted, kind+" "+name) }))
	require.Empty(t, deleted)
}
