package dashboard_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/test/apiserver"
)

// Predictions are read with the credential of a version, by users who may read it; the store
// itself is not here.
func TestPredictionsNeedACredential(t *testing.T) {
	namespace := newNamespace(t)
	ref := create(t, namespace, "one")
	user := server.AsUser("reader-" + namespace)
	apiserver.Allow(t, admin, user, namespace, readVersions()...)
	s := newSource(t, newClient(t, user, namespace), namespace)
	refused := func() *source.RefusedError {
		_, _, err := s.Predictions(bounded(t), ref)
		var refused *source.RefusedError
		require.ErrorAs(t, err, &refused)
		return refused
	}
	require.Equal(t, &source.RefusedError{
		Refusal: source.Unavailable, Next: "hint in " + namespace,
		Text: "Nothing was saved: no version of the namespace has credentials for the store.",
	}, refused())

	mark(t, ref, v1alpha1.PhaseStarted, func(v *v1alpha1.Version) {
		v.Status.StartedWith = &v1alpha1.StartedWith{StoreSecret: "one-store-1"}
	})
	r := refused()
	require.Equal(t, source.Forbidden, r.Refusal)
	require.Contains(t, r.Text, `cannot read the credential for the store in Secret "one-store-1"`)
	_, _, err := s.Predictions(bounded(t), source.Ref{Namespace: "elsewhere", Name: "one"})
	var unknown *source.NotFoundError
	require.ErrorAs(t, err, &unknown)
}
