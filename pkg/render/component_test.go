package render_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/render"
)

// Every object names its component; the ways to pods are the entrypoint's, although they are named after a node.
func TestComponentOf(t *testing.T) {
	components := map[string]render.Component{}
	for _, folder := range []string{"workflows", "shortcut", "pods"} {
		for _, o := range must(t, input(t, filepath.Join("testdata", folder))) {
			c := render.ComponentOf(o)
			require.Equal(t, c == render.Component{}, c.IsEntrypoint())
			components[o.GetName()] = c
		}
	}
	for name, want := range map[string]render.Component{
		"prices-v3-etl":           {Node: "etl"},
		"prices-v3-ny-room-price": {Workflow: "ny-room-price"},
		"prices-v3":               {},
		"prices-v3-reply":         {},
		"prices-v3-entrypoint":    {},
		"short-v1-one":            {Node: "one"},
		"short-v1--one":           {},
		"pods-v1---zero":          {},
	} {
		require.Contains(t, components, name)
		require.Equal(t, want, components[name], name)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{render.LabelNode: "etl"}}}
	require.Equal(t, render.Component{Node: "etl"}, render.ComponentOf(pod))
}
