package v1alpha1_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// pointing is a runtime that should publish a version, its status begun.
func pointing(wanted string) *v1alpha1.Runtime {
	r := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "kre", Generation: 2}}
	r.Spec.PublishedVersion, r.Spec.Comment = wanted, "why"
	r.BeginStatus()
	return r
}

func TestRuntimeMarks(t *testing.T) {
	at := metav1.Unix(1000, 0)
	for _, tt := range []struct {
		name   string
		before string // what was published
		mark   func(*v1alpha1.Runtime)
		want   string
	}{
		{"nothing yet", "", func(*v1alpha1.Runtime) {}, "Ready=Unknown Publishing"},
		{"published", "", func(r *v1alpha1.Runtime) { r.MarkPublished("b", at) }, "Ready=True Published"},
		{"nothing", "a", func(r *v1alpha1.Runtime) { r.MarkNothingPublished(at) }, "Ready=True NothingPublished: no version is published"},
		{"waiting", "a", func(r *v1alpha1.Runtime) { r.MarkPublishing("waits for endpoints") }, "Ready=Unknown Publishing: waits for endpoints"},
		{
			"its Service is taken", "", func(r *v1alpha1.Runtime) { r.MarkNotReady(v1alpha1.ReasonNotOwned, "taken") },
			"Ready=False NotOwned: taken",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := pointing("b")
			r.Status.PublishedVersion = tt.before
			tt.mark(r)
			c := r.Status.Condition("Ready")
			require.Equal(t, tt.want, line(c))
			require.EqualValues(t, 2, c.ObservedGeneration)
			require.Len(t, r.GetConditions(), 1)
		})
	}
}

func TestHistoryOfPublications(t *testing.T) {
	at := func(second int64) metav1.Time { return metav1.Unix(second, 0) }
	to := func(second int64) *metav1.Time { return new(at(second)) }
	r := pointing("a")
	r.MarkPublished("a", at(1))
	r.MarkPublished("a", at(2))
	require.True(t, r.IsReady())
	require.Equal(t, to(1), r.Status.Since, "since it was published, not since the last reconcile")
	r.Spec.Comment = "better"
	r.MarkPublished("b", at(3))
	r.MarkNothingPublished(at(4))
	r.MarkNothingPublished(at(5))
	require.Empty(t, r.Status.PublishedVersion)
	require.Nil(t, r.Status.Since)
	r.MarkPublished("a", at(6))
	require.Equal(t, []v1alpha1.Publication{
		{Version: "a", From: at(1), To: to(3), Comment: "why"},
		{Version: "b", From: at(3), To: to(4), Comment: "better"},
		{Version: "a", From: at(6), Comment: "better"},
	}, r.Status.History)
	for i := range 30 {
		r.MarkPublished(fmt.Sprintf("v%d", i), at(int64(10+i)))
	}
	require.Len(t, r.Status.History, 20)
	require.Equal(t, "v29", r.Status.History[19].Version, "the newest last")
}
