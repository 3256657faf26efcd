package render_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/render"
)

func load(t *testing.T, folder string) *krt.Bundle {
	t.Helper()
	b, problems, err := krt.Load(t.Context(), folder, krt.Options{})
	require.NoError(t, err)
	require.NotNil(t, b, "%v", problems)
	return b
}

func TestFromBundle(t *testing.T) {
	b := load(t, filepath.Join("testdata", "bundle"))
	v := render.FromBundle(b, map[string]string{"etl": "registry.example.com/etl@sha256:00"},
		render.FromOptions{Namespace: "kre", Delivery: v1alpha1.DeliveryDirect, Artifact: "registry.example.com/krt-nodes@sha256:01"})
	got, err := yaml.Marshal(v)
	require.NoError(t, err)
	wanted := filepath.Join("testdata", "bundle", "wanted.yaml")
	if *update {
		require.NoError(t, os.WriteFile(wanted, got, 0o600))
	}
	text, err := os.ReadFile(wanted)
	require.NoError(t, err)
	require.Equal(t, string(text), string(got), "go test ./pkg/render -update, and read the diff")
}

// A bundle may have too many files for all of its protos to be found.
func TestFromBundleWithoutAllItsProtos(t *testing.T) {
	b := load(t, filepath.Join("testdata", "bundle"))
	b.Messages = nil
	v := render.FromBundle(b, nil, render.FromOptions{Namespace: "kre"})
	require.NotNil(t, v.Spec.Entrypoint.Inspect)
	require.Empty(t, v.Spec.Entrypoint.Inspect.Descriptors)
}

// What a bundle with several protos becomes can be rendered as it is.
func TestFromBundleIsRendered(t *testing.T) {
	v := render.FromBundle(load(t, filepath.Join("..", "..", "functions", "price-estimator")), nil, render.FromOptions{Namespace: "kre"})
	require.Len(t, v.Spec.Entrypoint.Files, 1, "nodes' own protos are not the entrypoint's")
	in := render.Input{Version: v, Settings: render.DefaultSettings(), Addresses: map[string]string{}}
	objects, err := render.Objects(in)
	require.NoError(t, err)
	require.NotEmpty(t, objects)
}

// A Go node of the original's module works on one call at a time: its pods are to follow
// its load.
func TestFromBundleSaysWorkers(t *testing.T) {
	for folder, want := range map[string]*int32{"test/bundles/cases/go-state": new(int32(1)), "functions/greeter": nil} {
		v := render.FromBundle(load(t, filepath.Join("..", "..", folder)), nil, render.FromOptions{Namespace: "kre"})
		require.Equal(t, want, v.Spec.Nodes[0].Workers, folder)
	}
}
