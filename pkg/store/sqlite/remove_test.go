package sqlite

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// TestWhoSavesMuchMakesRoom: the namespace that has the most loses its oldest measurements,
// others nothing, however old theirs are. What was removed is counted.
func TestWhoSavesMuchMakesRoom(t *testing.T) {
	const limit = 2 << 20
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{MaxBytes: limit})
	measure := func(runtime string, i, size int) {
		at := time.Unix(int64(i), 0)
		require.NoError(t, s.SaveMeasurements(t.Context(), runtime, []wire.Measurement{{
			Name: "m", Time: at, Fields: map[string]any{"n": json.Number(fmt.Sprint(i)), "text": strings.Repeat("x", size)},
		}}))
		require.NoError(t, s.SavePredictions(t.Context(), []store.Prediction{{
			Runtime: runtime, Prediction: wire.Prediction{Date: at, Extra: strings.Repeat("x", size)},
		}}))
	}
	count := func(runtime string) (n int64) {
		n, err := s.CountMeasurements(t.Context(), store.Selection{Runtime: runtime})
		require.NoError(t, err)
		counts, err := s.CountPredictions(t.Context(), store.Selection{Runtime: runtime}, 0)
		require.NoError(t, err)
		require.Len(t, counts, 1)
		return n + counts[0].Total
	}
	for i := range 200 { // more than of the other, but smaller
		measure("small", i, 10)
	}
	const n = 150
	for i := range n {
		measure("large", 1000+i, 10_000)
	}
	require.EqualValues(t, 2*200, count("small"))
	kept := count("large")
	require.Less(t, kept, int64(2*n))
	found, err := s.ListMeasurements(t.Context(), store.Selection{Runtime: "large"}, store.Page{Limit: 1000, Bytes: limit})
	require.NoError(t, err)
	require.Equal(t, time.Unix(1000+n-1, 0).UTC(), found.Items[len(found.Items)-1].Time, "the newest is there")
	u, err := s.Usage(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2*n-kept, u.Measurements+u.Predictions)
	require.Equal(t, "store.db", u.File)
	require.EqualValues(t, limit, u.Limit)
	require.Greater(t, u.Used, int64(limit/2))
	require.LessOrEqual(t, u.Used, int64(limit))
}

// TestRowsThatAreGoneCountForNobody: much of one namespace was removed, among which another one
// has a few old rows.
func TestRowsThatAreGoneCountForNobody(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{MaxBytes: 2 << 20})
	measure := func(runtime string, i int) {
		require.NoError(t, s.SaveMeasurements(t.Context(), runtime, []wire.Measurement{{
			Name: "m", Time: time.Unix(int64(i), 0), Fields: map[string]any{"text": strings.Repeat("x", 1000)},
		}}))
	}
	for i := range 6000 {
		if measure("large", i); i < 4000 && i%100 == 0 {
			measure("small", i)
		}
	}
	n, err := s.CountMeasurements(t.Context(), store.Selection{Runtime: "small"})
	require.NoError(t, err)
	require.EqualValues(t, 40, n)
}
