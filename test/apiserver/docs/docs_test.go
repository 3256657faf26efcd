// Package docs_test asks a real apiserver whether it accepts the objects that the documentation shows.
package docs_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/docs/page"
)

// clusterWide are the kinds in the docs that have no namespace.
var clusterWide = []string{"Namespace", "ClusterRole", "ClusterRoleBinding", "StorageClass", "PersistentVolume"}

func TestObjectsAreAccepted(t *testing.T) {
	server := apiserver.For(t, apiserver.OurCRDs, apiserver.KnativeCRDs())
	c, err := server.NewClient()
	require.NoError(t, err)
	pages, err := page.All("../../..")
	require.NoError(t, err)
	count := 0
	for _, p := range pages {
		for _, b := range p.Blocks {
			m, err := b.Marker()
			require.NoError(t, err, b.At())
			if m.How != page.Apply {
				continue
			}
			count++
			if err := accept(t.Context(), c, b.Text); err != nil {
				t.Errorf("%s: %v", b.At(), err)
			}
		}
	}
	t.Logf("%d blocks", count)
}

// accept creates the objects in text as a dry run, in a namespace that there is. A field that the kind does not
// have is an error.
func accept(ctx context.Context, c client.Client, text string) error {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(o.Object) == 0:
			continue
		}
		if !slices.Contains(clusterWide, o.GetKind()) {
			o.SetNamespace("default")
		}
		if err := c.Create(ctx, o, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
			return err
		}
	}
}
