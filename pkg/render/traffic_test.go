package render_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/render"
)

func canaryOf(c v1alpha1.Canary) *v1alpha1.Runtime {
	return &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "dev"},
		Spec:   v1alpha1.RuntimeSpec{PublishedVersion: "price-v1", Canary: &c},
		Status: v1alpha1.RuntimeStatus{Canary: &v1alpha1.CanaryStatus{Version: c.Version, Weight: c.Weight, Mirror: c.Mirror}}}
}

// What the entrypoint of a published version reads, and that of one that was published before.
func TestTrafficGolden(t *testing.T) {
	rt := canaryOf(v1alpha1.Canary{Version: "price-v2", Weight: 10, Mirror: 5,
		Match:   []v1alpha1.MetadataMatch{{MetadataName: v1alpha1.MetadataName{Metadata: "x-krt-version"}, Value: "price-v2"}},
		Sticky:  &v1alpha1.MetadataName{Metadata: "x-user-id"},
		Compare: &v1alpha1.Comparison{Ignore: []string{"at"}, Tolerance: "0.1%"}})
	until := time.Date(2026, 1, 1, 0, 2, 42, 0, time.UTC)
	got := yamlOf(t, []render.Object{
		render.Traffic("dev", "price-v1", render.Share(rt, "cluster.local"), time.Time{}),
		render.Traffic("dev", "price-v0", render.Handover("price-v1", "dev", "example.com"), until),
		render.Traffic("dev", "price-v3", traffic.Config{}, time.Time{}),
	})
	const wanted = "testdata/traffic/files.yaml"
	if *update {
		require.NoError(t, os.WriteFile(wanted, got, 0o600))
	}
	text, err := os.ReadFile(wanted)
	require.NoError(t, err)
	require.Equal(t, string(text), string(got), "go test ./pkg/render -update, and read the diff")
}

// The entrypoint can read all that the CRD accepts.
func TestTrafficIsWhatTheEntrypointReads(t *testing.T) {
	for _, tolerance := range []string{"", "0%", "0.000001%", "100%", "999.9%"} {
		rt := canaryOf(v1alpha1.Canary{Version: "b", Weight: 100, Compare: &v1alpha1.Comparison{Tolerance: tolerance}})
		m := render.Traffic("dev", "a", render.Share(rt, "cluster.local"), time.Time{})
		_, err := traffic.Parse([]byte(m.Data[traffic.File]))
		require.NoError(t, err, tolerance)
	}
	c, err := traffic.Parse([]byte(render.Traffic("dev", "a", traffic.Config{}, time.Time{}).Data[traffic.File]))
	require.NoError(t, err)
	require.Nil(t, c.Canary)
}

// The weight in force is the status's: a plan, not the spec, may have set it.
func TestWeightIsThatOfTheStatus(t *testing.T) {
	rt := canaryOf(v1alpha1.Canary{Version: "b"})
	rt.Status.Canary.Weight = 25
	require.Equal(t, 25, render.Share(rt, "cluster.local").Canary.Weight)
	before := render.TrafficID(render.Share(rt, "cluster.local"))
	rt.Status.Canary.Weight = 26
	require.NotEqual(t, before, render.TrafficID(render.Share(rt, "cluster.local")))
	require.Equal(t, render.TrafficNone, render.TrafficID(traffic.Config{}))
}
