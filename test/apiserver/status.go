package apiserver

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// MarkVersion writes a version's status as the controller does, for tests in which none runs:
// started, and ready but for what mark marks.
func MarkVersion(t testing.TB, admin client.Client, of client.ObjectKey, mark func(*v1alpha1.Version)) {
	t.Helper()
	v := &v1alpha1.Version{}
	require.NoError(t, admin.Get(t.Context(), of, v))
	v.BeginStatus()
	v.RecordState(metav1.Now())
	v.MarkConfigReady()
	for _, n := range v.Spec.Nodes {
		v.MarkNodeReady(n.Name, v.Name+"-"+n.Name+"-00001", n.Image+"@sha256:1")
	}
	for _, w := range v.Spec.Workflows {
		v.MarkWorkflowReady(w.Name, "http://"+w.Name, "")
	}
	v.MarkEntrypointReady("http://" + v.Name + "." + v.Namespace + ".svc.cluster.local")
	v.Status.Phase = v1alpha1.PhaseStarted
	mark(v)
	v.FinishStatus()
	require.NoError(t, admin.Status().Update(t.Context(), v))
}

// MarkRuntime writes that a namespace's Runtime has published what it was asked to.
func MarkRuntime(t testing.TB, admin client.Client, namespace string) {
	t.Helper()
	r := &v1alpha1.Runtime{}
	require.NoError(t, admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1alpha1.RuntimeName}, r))
	r.BeginStatus()
	if r.Spec.PublishedVersion == "" {
		r.MarkNothingPublished(metav1.Now())
	} else {
		r.MarkPublished(r.Spec.PublishedVersion, metav1.Now())
	}
	require.NoError(t, admin.Status().Update(t.Context(), r))
}
