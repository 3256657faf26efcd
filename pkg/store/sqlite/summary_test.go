package sqlite

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// TestCountsFollowPredictions: whatever is saved and deleted, summaries say what is there,
// also for parts of an hour.
func TestCountsFollowPredictions(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	start := time.Date(1969, 12, 31, 20, 17, 0, 0, time.UTC)
	values := []string{"cat", "dog", "", "1", "22", "333", "4444", "1.5", "-2e3", "0x1", "'", "NaN"}
	random := func() string { return values[rand.IntN(len(values))] }
	check := func() {
		for range 5 {
			of := store.Selection{Runtime: "a", From: start.Add(time.Duration(rand.IntN(600)) * time.Minute)}
			of.To = of.From.Add(time.Duration(1+rand.IntN(300)) * time.Minute)
			of.Mirrored = store.Mirrored(rand.IntN(3))
			counts, err := s.CountPredictions(t.Context(), of, 0)
			require.NoError(t, err)
			listed, err := s.ListPredictions(t.Context(), of, store.Page{Limit: 10_000, Bytes: 1 << 30})
			require.NoError(t, err)
			pairs, err := s.CountPairs(t.Context(), of, 1000)
			require.NoError(t, err)
			var want, got store.Counts
			labels := map[store.Pair]int64{}
			for _, p := range listed.Items {
				want.Total++
				if p.Error == "new_labels" {
					want.New++
				} else if p.PredictedValue != "" && p.TrueValue != "" {
					want.Labelled++
					if p.PredictedValue == p.TrueValue {
						want.Correct++
					}
					if pair := (store.Pair{True: p.TrueValue, Predicted: p.PredictedValue}); store.IsLabel(pair) {
						labels[pair]++
					}
				}
			}
			for _, c := range counts {
				got.Add(c)
			}
			got.Numbers, got.Absolute, got.Squared = 0, 0, 0
			require.Equal(t, want, got, fmt.Sprint(of))
			require.Len(t, pairs, len(labels))
			for _, p := range pairs {
				require.Equal(t, labels[store.Pair{True: p.True, Predicted: p.Predicted}], p.Count, fmt.Sprint(of, p))
			}
		}
	}
	for range 5 {
		var saved []store.Prediction
		for range 200 {
			p := store.Prediction{Runtime: "a", Version: "v1"}
			date := start.Add(time.Duration(rand.IntN(36_000)) * time.Second)
			p.Prediction = wire.Prediction{PredictedValue: random(), TrueValue: random(), Date: date, Mirror: rand.IntN(3) == 0}
			if rand.IntN(10) == 0 {
				p.Error = "new_labels"
			}
			saved = append(saved, p)
		}
		require.NoError(t, s.SavePredictions(t.Context(), saved))
		check()
		from := start.Add(time.Duration(rand.IntN(600)) * time.Minute)
		_, err := s.DeletePredictions(t.Context(), store.Selection{Runtime: "a", From: from, To: from.Add(50 * time.Minute)}, store.Part{})
		require.NoError(t, err)
		check()
	}
	_, err := s.DeletePredictions(t.Context(), store.Selection{}, store.Part{})
	require.NoError(t, err)
	var left int
	require.NoError(t, s.reader.QueryRowContext(t.Context(), "SELECT count(*) FROM prediction_counts").Scan(&left))
	require.Zero(t, left)
}
