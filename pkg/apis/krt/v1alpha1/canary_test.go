package v1alpha1_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func withCanary(c v1alpha1.Canary) *v1alpha1.Runtime {
	rt := &v1alpha1.Runtime{Spec: v1alpha1.RuntimeSpec{PublishedVersion: "a", Canary: &c}}
	rt.Status.PublishedVersion = "a"
	return rt
}

func TestUses(t *testing.T) {
	rt := withCanary(v1alpha1.Canary{Version: "b"})
	rt.Status.PublishedVersion = "former"
	rt.Status.Canary = &v1alpha1.CanaryStatus{Version: "leaving", Receiving: true}
	for version, want := range map[string]v1alpha1.Use{
		"a": v1alpha1.UsePublished, "former": v1alpha1.UsePublished, "b": v1alpha1.UseCanary, "leaving": v1alpha1.UseCanary,
		"other": v1alpha1.UseNone, "": v1alpha1.UseNone,
	} {
		require.Equal(t, want, rt.Uses(version), version)
	}
	require.True(t, rt.Receives("leaving"))
	require.False(t, rt.Receives("b"))
}

func TestCanaryShare(t *testing.T) {
	match := []v1alpha1.MetadataMatch{{MetadataName: v1alpha1.MetadataName{Metadata: "x"}, Value: "1"}}
	for want, c := range map[string]v1alpha1.Canary{
		"10 % of the requests":           {Weight: 10},
		"copies of 5 %":                  {Mirror: 5},
		"the requests with its metadata": {Match: match},
		"no requests":                    {},
		"10 % of the requests, the requests with its metadata, copies of 5 %": {Weight: 10, Mirror: 5, Match: match},
		"100 % of the requests": {Weight: 100, Match: match},
	} {
		rt := withCanary(c)
		require.Equal(t, "no requests", rt.CanaryShare())
		rt.MarkCanaryServing(metav1.Now(), v1alpha1.CanarySamples{})
		require.Equal(t, want, rt.CanaryShare())
		rt.MarkCanaryWaiting(v1alpha1.ReasonVersionNotReady, "it crashed")
		require.Equal(t, "no requests", rt.CanaryShare())
	}
}

// A canary serves since it began to; it may get requests until that is known to be over.
func TestCanaryServesAndLeaves(t *testing.T) {
	first, later := metav1.NewTime(time.Unix(1, 0)), metav1.NewTime(time.Unix(2, 0))
	rt := withCanary(v1alpha1.Canary{Version: "b", Weight: 10})
	rt.MarkCanaryServing(first, v1alpha1.CanarySamples{})
	of := rt.Status.Canary.Of
	rt.Spec.Canary.Paused, rt.Spec.Canary.Resume = true, "now"
	rt.MarkCanaryServing(later, v1alpha1.CanarySamples{})
	require.Equal(t, first, *rt.Status.Canary.Since)
	require.Equal(t, of, rt.Status.Canary.Of)
	rt.Spec.Canary.Weight = 20
	rt.MarkCanaryServing(later, v1alpha1.CanarySamples{Canary: 7})
	require.EqualValues(t, 7, rt.Status.Canary.Samples.Canary)
	require.Equal(t, later, *rt.Status.Canary.Since)
	require.NotEqual(t, of, rt.Status.Canary.Of)

	rt.MarkCanaryRefused("it differs")
	require.True(t, rt.Receives("b"))
	rt.MarkCanaryLeaving()
	require.True(t, rt.Receives("b"))
	require.Zero(t, rt.Status.Canary.Weight)
	rt.MarkCanaryReceivesNothing()
	require.False(t, rt.Receives("b"))
	rt.MarkCanaryWaiting(v1alpha1.ReasonPublishing, "it is starting")
	require.False(t, rt.Receives("b"))
}

func TestCanaryIsPromoted(t *testing.T) {
	rt := withCanary(v1alpha1.Canary{Version: "b", Weight: 10})
	rt.MarkCanaryServing(metav1.Now(), v1alpha1.CanarySamples{})
	rt.Spec = v1alpha1.RuntimeSpec{PublishedVersion: "b", Comment: "good"}
	rt.MarkCanaryPromoting()
	require.Equal(t, `"b" gets all requests; it is being published instead of "a"`, rt.Status.Canary.Message)
	require.Equal(t, "100 % of the requests", rt.CanaryShare())
	rt.MarkPublished("b", metav1.Now())
	require.Nil(t, rt.Status.Canary)
	require.Equal(t, "good", rt.Status.History[0].Comment)
}
