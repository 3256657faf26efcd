package canary

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
)

// A step that begins anew after the canary was not ready is not judged by what failed until then, however
// short that was.
func TestWhatACanaryCouldNotServeIsNotOfTheNextStep(t *testing.T) {
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "kre", UID: "1"}}
	rt.Spec = v1alpha1.RuntimeSpec{PublishedVersion: "v1", Canary: planned(step(5, time.Hour))}
	rt.Status.PublishedVersion = "v1"
	now := time.Now()
	var counts Counts
	k := NewWalker(func(context.Context, Task) Measurement {
		return Measurement{Reading: Reading{At: now, Pods: map[string]Counts{"a": counts}, Running: map[string]bool{"a": true}}}
	}, 0)
	after := func(fallbacks int64, cause *observe.Cause) v1alpha1.CanaryStatus {
		counts = Counts{Fallbacks: fallbacks}
		k.round(t.Context(), false, func(types.NamespacedName) {})
		k.round(t.Context(), true, func(types.NamespacedName) {})
		now = now.Add(time.Second)
		status, _ := k.Walk(rt, cause, now)
		return status
	}
	require.Equal(t, v1alpha1.CanaryProgressing, after(0, nil).Phase)
	require.EqualValues(t, 0, after(1, nil).Samples.Fallbacks, "of before it was read first")
	require.EqualValues(t, 2, after(3, nil).Samples.Fallbacks)
	require.Equal(t, v1alpha1.CanaryWaiting, after(4, notReady).Phase)
	require.Equal(t, v1alpha1.CanaryProgressing, after(50, nil).Phase)
	require.EqualValues(t, 0, after(50, nil).Samples.Fallbacks)
	require.EqualValues(t, 1, after(51, nil).Samples.Fallbacks)
}
