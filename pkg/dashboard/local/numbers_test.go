package local

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestNumbersOfARun(t *testing.T) {
	r := startRun(t, newBundle(t))
	reader := r.reader(ref)
	n, err := reader.Read(t.Context())
	require.NoError(t, err, "before it serves")
	require.Nil(t, n)

	v := r.until(t, isReady)
	_, err = reader.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, post(t, v, "Both", "Ada"))

	n, err = reader.Read(t.Context())
	require.NoError(t, err)
	two := n.Workflows["two"]
	require.InDelta(t, 1, two.PerSecond*n.Over.Seconds(), 1e-6)
	require.Positive(t, two.P95)
	require.InDelta(t, 1, two.Nodes["hello"].PerSecond*n.Over.Seconds(), 1e-6)
	require.InDelta(t, 1, two.Nodes["world"].PerSecond*n.Over.Seconds(), 1e-6)
	require.Zero(t, n.Workflows["one"].PerSecond)
	require.Error(t, r.FollowNumbers(t.Context(), source.Ref{Name: "other"}, nil))
}
