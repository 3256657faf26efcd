package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store"
)

// mirroredPredictions: predictions that were made for copies of requests are kept with their
// mark, and selected by it, whether they are counted or listed, over whole hours or parts of one.
func mirroredPredictions(t *testing.T, b store.Predictions) {
	const runtime = "mirrored"
	own, copied := prediction(runtime, 5, "cat", "cat", ""), prediction(runtime, 65, "dog", "cat", "")
	copied.Mirror, copied.Version = true, "v2"
	again := prediction(runtime, 5, "cat", "cat", "") // as its own, but for the mark
	again.Mirror = true
	require.NoError(t, b.SavePredictions(t.Context(), []store.Prediction{own, copied, again}))
	for name, one := range map[string]struct {
		of      store.Mirrored
		listed  int
		correct int64
		pairs   int
	}{
		"too":  {store.MirroredToo, 3, 2, 2},
		"not":  {store.MirroredNot, 1, 1, 1},
		"only": {store.MirroredOnly, 2, 1, 2},
	} {
		for span, from := range map[string]time.Time{"whole hours": {}, "parts of hours": at(4)} {
			t.Run(name+", "+span, func(t *testing.T) {
				of := store.Selection{Runtime: runtime, Mirrored: one.of, From: from}
				found, err := b.ListPredictions(t.Context(), of, store.Page{Limit: 10, Bytes: 1 << 20})
				require.NoError(t, err)
				require.Len(t, found.Items, one.listed)
				counts, err := b.CountPredictions(t.Context(), of, 0)
				require.NoError(t, err)
				require.EqualValues(t, one.listed, counts[0].Total)
				require.Equal(t, one.correct, counts[0].Correct)
				pairs, err := b.CountPairs(t.Context(), of, 10)
				require.NoError(t, err)
				require.Len(t, pairs, one.pairs)
				versions, err := b.CountVersions(t.Context(), of, 10)
				require.NoError(t, err)
				require.Len(t, versions, one.pairs)
				latest, err := b.LatestLabelled(t.Context(), of, 10)
				require.NoError(t, err)
				require.Len(t, latest, one.listed)
			})
		}
	}
	found, err := b.ListPredictions(t.Context(), store.Selection{Runtime: runtime}, store.Page{Limit: 10, Bytes: 1 << 20})
	require.NoError(t, err)
	require.Contains(t, found.Items, copied, "the mark comes back")
	require.Contains(t, found.Items, own)
	deleted, err := b.DeletePredictions(t.Context(), store.Selection{Runtime: runtime}, store.Part{})
	require.NoError(t, err)
	require.EqualValues(t, 3, deleted.Count)
	counts, err := b.CountPredictions(t.Context(), store.Selection{Runtime: runtime}, 0)
	require.NoError(t, err)
	require.Empty(t, counts)
}
