package canary

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Without a plan nothing is judged, but what the canary gets is counted; another controller goes on counting.
func TestACanaryWithoutAPlanIsCounted(t *testing.T) {
	now := new(counted(1000, 100))
	measure := func(_ context.Context, task Task) Measurement {
		require.Equal(t, Task{Published: "v1", Canary: "v2", Since: start}, task)
		return Measurement{Reading: *reading(map[string]*Counts{"a": now})}
	}
	rt := &v1alpha1.Runtime{Spec: v1alpha1.RuntimeSpec{Canary: &v1alpha1.Canary{Version: "v2", Weight: 10}}}
	rt.Status.PublishedVersion = "v1"
	var k *Walker
	news := 0
	round := func(published, canary int64) v1alpha1.CanarySamples {
		now = new(counted(published, canary))
		k.round(t.Context(), true, func(types.NamespacedName) { news++ })
		return k.Count(rt, start.Add(time.Minute))
	}
	k = NewWalker(measure, 0)
	require.Zero(t, k.Count(rt, start))
	require.Zero(t, round(1000, 100), "what was before does not count")
	got := round(1090, 110)
	require.Equal(t, v1alpha1.CanarySamples{Published: 90, Canary: 11, Fallbacks: 1}, got)
	require.Equal(t, 2, news)

	rt.Status.Canary = &v1alpha1.CanaryStatus{Of: rt.Spec.Canary.ID("v1"), Phase: v1alpha1.CanaryServing, Samples: got}
	k = NewWalker(measure, 0)
	require.Equal(t, got, k.Count(rt, start), "another controller goes on")
	round(1100, 120)
	require.Equal(t, v1alpha1.CanarySamples{Published: 100, Canary: 22, Fallbacks: 2}, round(1110, 130))

	rt.Spec.Canary.Weight = 50
	require.Zero(t, k.Count(rt, start), "with another weight, it begins anew")
}
