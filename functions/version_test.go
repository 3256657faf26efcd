package functions_test

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

// A version.yaml says what the krt.yml beside it says, and which images its
// nodes are.
func TestVersionsAreTheirBundles(t *testing.T) {
	files, err := filepath.Glob("*/version.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Dir(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			got := &v1alpha1.Version{}
			require.NoError(t, yaml.UnmarshalStrict(text, got))
			images := map[string]string{}
			for _, node := range got.Spec.Nodes {
				images[node.Name] = node.Image
			}
			bundle, problems, err := krt.Load(t.Context(), filepath.Dir(file), krt.Options{})
			require.NoError(t, err, problems)
			want := render.FromBundle(bundle, images, render.FromOptions{})
			want.Spec.State = v1alpha1.StateStarted
			require.Equal(t, want, got)
		})
	}
}
