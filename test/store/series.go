package store

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/data/quality"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// at is a time, in minutes from the start of a day.
func at(minutes int) time.Time {
	return time.Date(2024, 5, 6, 0, 0, 0, 123456000, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

func prediction(runtime string, minutes int, predicted, truth, reason string) store.Prediction {
	return store.Prediction{
		Prediction: wire.Prediction{
			PredictedValue: predicted, TrueValue: truth, Error: reason, Date: at(minutes), Extra: map[string]any{"a": "b"},
		},
		Runtime: runtime, Version: "v1", Node: "model", Workflow: "flow",
	}
}

// Predictions holds a backend of predictions to the table.
func Predictions(t *testing.T, b store.Predictions) {
	other := prediction(ours, 200, "cat", "cat", "")
	other.Version = "v2"
	require.NoError(t, b.SavePredictions(t.Context(), []store.Prediction{
		prediction(ours, 61, "dog", "cat", ""), prediction(ours, 1, "cat", "cat", ""), prediction(ours, 2, "cat", "cat", ""),
		prediction(ours, 62, "", "", "missing_values"), prediction(ours, 63, "", "", "new_labels"), prediction(ours, 64, "cat", "", ""),
	}))
	require.NoError(t, b.SavePredictions(t.Context(), []store.Prediction{
		prediction(ours, 65, "1.5", "1", ""), prediction(ours, 66, "-2e0", "2", ""), other, prediction(theirs, 1, "theirs", "cat", ""),
	}))
	t.Run("parts", func(t *testing.T) { predictionsInParts(t, b) })
	t.Run("list", func(t *testing.T) { listPredictions(t, b) })
	t.Run("extremes", func(t *testing.T) { extremes(t, b) })
	t.Run("counts", func(t *testing.T) { countPredictions(t, b) })
	t.Run("pairs", func(t *testing.T) {
		pairs, err := b.CountPairs(t.Context(), store.Selection{Runtime: ours, To: at(64)}, 10)
		require.NoError(t, err)
		require.Equal(t, []store.Pair{{True: "cat", Predicted: "cat", Count: 2}, {True: "cat", Predicted: "dog", Count: 1}}, pairs)
		pairs, err = b.CountPairs(t.Context(), store.Selection{Runtime: ours, Version: "v2"}, 1)
		require.NoError(t, err)
		require.Equal(t, []store.Pair{{True: "cat", Predicted: "cat", Count: 1}}, pairs)
	})
	t.Run("versions", func(t *testing.T) { countVersions(t, b) })
	t.Run("latest", func(t *testing.T) { latestLabelled(t, b) })
	t.Run("mirrored", func(t *testing.T) { mirroredPredictions(t, b) })
	deleted, err := b.DeletePredictions(t.Context(), store.Selection{Runtime: ours, To: at(62)}, store.Part{})
	require.NoError(t, err)
	require.Equal(t, store.Deleted{Count: 3}, deleted)
	counts, err := b.CountPredictions(t.Context(), store.Selection{Runtime: ours}, 0)
	require.NoError(t, err)
	require.EqualValues(t, 6, counts[0].Total)
	found, err := b.ListPredictions(t.Context(), store.Selection{Runtime: theirs}, store.Page{Limit: 5, Bytes: 1 << 20})
	require.NoError(t, err)
	require.Len(t, found.Items, 1)
}

// extremes: numbers that a float of 64 bits cannot square, or hold at all, are counted as no
// numbers, and do not keep others from being counted and deleted.
func extremes(t *testing.T, b store.Predictions) {
	const runtime = "extremes"
	all := []store.Prediction{prediction(runtime, 1, "1e100", "-1e100", ""), prediction(runtime, 2, "1e-300", "0", "")}
	for _, value := range []string{"1e200", "1e999", strings.Repeat("9", 400), strings.Repeat("9", 200_000), "1e9999999999"} {
		all = append(all, prediction(runtime, 3, value, "1", ""), prediction(runtime, 3, value, value, ""))
	}
	require.NoError(t, b.SavePredictions(t.Context(), all))
	pairs, err := b.CountPairs(t.Context(), store.Selection{Runtime: runtime}, 20)
	require.NoError(t, err)
	for _, p := range pairs {
		require.LessOrEqual(t, len(p.True), 100, "a label is cut")
	}
	counts, err := b.CountPredictions(t.Context(), store.Selection{Runtime: runtime}, time.Hour)
	require.NoError(t, err)
	require.Len(t, counts, 1)
	require.EqualValues(t, 12, counts[0].Labelled)
	require.EqualValues(t, 5, counts[0].Correct)
	require.EqualValues(t, 2, counts[0].Numbers)
	require.InEpsilon(t, 2e100, counts[0].Absolute, 1e-9)
	require.InEpsilon(t, 4e200, counts[0].Squared, 1e-9)
	deleted, err := b.DeletePredictions(t.Context(), store.Selection{Runtime: runtime}, store.Part{})
	require.NoError(t, err)
	require.Equal(t, store.Deleted{Count: int64(len(all))}, deleted)
}

func listPredictions(t *testing.T, b store.Predictions) {
	for _, size := range []int{1, 2, 9, 100} {
		var all []store.Prediction
		for page := (store.Page{Limit: size, Bytes: 1 << 20}); ; {
			found, err := b.ListPredictions(t.Context(), store.Selection{Runtime: ours}, page)
			require.NoError(t, err)
			all = append(all, found.Items...)
			if page.Cursor = found.Next; page.Cursor == "" {
				break
			}
		}
		require.Len(t, all, 9)
		require.Equal(t, prediction(ours, 1, "cat", "cat", ""), all[0])
		require.Equal(t, prediction(ours, 61, "dog", "cat", ""), all[2])
		require.Equal(t, "new_labels", all[4].Error)
	}
}

func countPredictions(t *testing.T, b store.Predictions) {
	counts, err := b.CountPredictions(t.Context(), store.Selection{Runtime: ours}, time.Hour)
	require.NoError(t, err)
	hour := func(n int) time.Time { return time.Date(2024, 5, 6, n, 0, 0, 0, time.UTC) }
	require.Equal(t, []store.Counts{
		{Start: hour(0), Total: 2, Labelled: 2, Correct: 2},
		{Start: hour(1), Total: 6, Missing: 1, New: 1, Labelled: 3, Numbers: 2, Absolute: 4.5, Squared: 16.25},
		{Start: hour(3), Total: 1, Labelled: 1, Correct: 1},
	}, counts)
	counts, err = b.CountPredictions(t.Context(), store.Selection{Runtime: ours, Version: "v1", From: at(2), To: at(66)}, 24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, []store.Counts{
		{Start: hour(0), Total: 6, Missing: 1, New: 1, Labelled: 3, Correct: 1, Numbers: 1, Absolute: 0.5, Squared: 0.25},
	}, counts)
	counts, err = b.CountPredictions(t.Context(), store.Selection{Runtime: "nobody"}, time.Hour)
	require.NoError(t, err)
	require.Empty(t, counts)
}

func countVersions(t *testing.T, b store.Predictions) {
	hour := func(n int) time.Time { return at(0).Truncate(24 * time.Hour).Add(time.Duration(n) * time.Hour) }
	found, err := b.CountVersions(t.Context(), store.Selection{Runtime: ours}, 10)
	require.NoError(t, err)
	require.Equal(t, []quality.Version{
		{Name: "v1", Total: 8, First: hour(0), Last: hour(1)}, {Name: "v2", Total: 1, First: hour(3), Last: hour(3)},
	}, found)
	found, err = b.CountVersions(t.Context(), store.Selection{Runtime: ours, From: at(2), To: at(62)}, 1)
	require.NoError(t, err)
	require.Equal(t, []quality.Version{{Name: "v1", Total: 2, First: hour(0), Last: hour(1)}}, found)
	found, err = b.CountVersions(t.Context(), store.Selection{Runtime: "nobody"}, 1)
	require.NoError(t, err)
	require.Empty(t, found)
}

func latestLabelled(t *testing.T, b store.Predictions) {
	found, err := b.LatestLabelled(t.Context(), store.Selection{Runtime: ours}, 4)
	require.NoError(t, err)
	require.Equal(t, []store.Labelled{
		{Date: at(200), True: "cat", Predicted: "cat"}, {Date: at(66), True: "2", Predicted: "-2e0"},
		{Date: at(65), True: "1", Predicted: "1.5"}, {Date: at(61), True: "cat", Predicted: "dog"},
	}, found)
	found, err = b.LatestLabelled(t.Context(), store.Selection{Runtime: ours, Version: "v1", From: at(2), To: at(62)}, 10)
	require.NoError(t, err)
	require.Equal(t, []store.Labelled{{Date: at(61), True: "cat", Predicted: "dog"}, {Date: at(2), True: "cat", Predicted: "cat"}}, found)
}

func measurement(minutes int, name, region string, fields map[string]any) wire.Measurement {
	return wire.Measurement{Name: name, Fields: fields, Time: at(minutes), Tags: map[string]string{"version": "v1", "region": region}}
}

// Measurements holds a backend of measurements that can be read to the table.
func Measurements(t *testing.T, b store.Measurements) {
	value := func(n string) map[string]any { return map[string]any{"value": json.Number(n), "text": "x"} }
	require.NoError(t, b.SaveMeasurements(t.Context(), ours, []wire.Measurement{
		measurement(1, "loss", "eu", value("1")), measurement(3, "loss", "eu", value("3.5")),
		measurement(2, "loss", "us", value("9007199254740993")),
		measurement(70, "loss", "eu", value("-4")), measurement(5, "other", "eu", map[string]any{"ok": true}),
		measurement(6, "loss", "eu", map[string]any{"text": "no number", "value": "7"}),
	}))
	require.NoError(t, b.SaveMeasurements(t.Context(), theirs, []wire.Measurement{measurement(1, "loss", "eu", value("100"))}))
	t.Run("list", func(t *testing.T) { listMeasurements(t, b) })
	t.Run("query", func(t *testing.T) { queryMeasurements(t, b) })
	t.Run("beyond", func(t *testing.T) { beyond(t, b) })
	deleted, err := b.DeleteMeasurements(t.Context(), store.Selection{Runtime: ours, Name: "loss", To: at(3)}, store.Part{})
	require.NoError(t, err)
	require.Equal(t, store.Deleted{Count: 2}, deleted)
}

func listMeasurements(t *testing.T, b store.Measurements) {
	of := store.Selection{Runtime: ours, Name: "loss", Tags: map[string]string{"region": "eu"}}
	for _, size := range []int{1, 2, 100} {
		var all []wire.Measurement
		for page := (store.Page{Limit: size, Bytes: 1 << 20}); ; {
			found, err := b.ListMeasurements(t.Context(), of, page)
			require.NoError(t, err)
			all = append(all, found.Items...)
			if page.Cursor = found.Next; page.Cursor == "" {
				break
			}
		}
		require.Len(t, all, 4)
		require.Equal(t, measurement(1, "loss", "eu", map[string]any{"value": json.Number("1"), "text": "x"}), all[0])
		require.Equal(t, json.Number("3.5"), all[1].Fields["value"])
		require.Equal(t, "7", all[2].Fields["value"])
	}
}

func queryMeasurements(t *testing.T, b store.Measurements) {
	q := store.MeasurementQuery{
		Selection: store.Selection{Runtime: ours, Name: "loss"}, Field: "value", By: []string{"region"}, Step: time.Hour, Limit: 10,
	}
	hour := func(n int) time.Time { return time.Date(2024, 5, 6, n, 0, 0, 0, time.UTC) }
	for aggregate, want := range map[store.Aggregate][]string{
		store.Mean: {"2.25", "-4"}, store.Sum: {"4.5", "-4"}, store.Min: {"1", "-4"}, store.Max: {"3.5", "-4"},
		store.Count: {"2", "1"}, store.Last: {"3.5", "-4"},
	} {
		q.Aggregate = aggregate
		series, err := b.QueryMeasurements(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, series, 2, aggregate)
		require.Equal(t, map[string]string{"region": "eu"}, series[0].Tags)
		require.Equal(t, map[string]string{"region": "us"}, series[1].Tags)
		require.Len(t, series[0].Points, 2)
		for i, point := range series[0].Points {
			require.Equal(t, hour(i), point.Time)
			require.InDelta(t, number64(t, json.Number(want[i])), number64(t, point.Value), 1e-9, aggregate)
		}
	}
	q.Limit = 2
	_, err := b.QueryMeasurements(t.Context(), q)
	var problem *store.Problem
	require.ErrorAs(t, err, &problem)
	q.Aggregate, q.By, q.Step, q.Limit = store.Max, nil, 24*time.Hour, 5
	series, err := b.QueryMeasurements(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, series, 1)
	require.Equal(t, math.Pow(2, 53), number64(t, series[0].Points[0].Value))
}

// beyond: sums that a float of 64 bits cannot hold are refused, those of integers beyond 64 bits
// are floats.
func beyond(t *testing.T, b store.Measurements) {
	save := func(runtime string, values ...string) {
		for i, value := range values {
			fields := map[string]any{"value": json.Number(value)}
			require.NoError(t, b.SaveMeasurements(t.Context(), runtime, []wire.Measurement{measurement(i, "m", "eu", fields)}))
		}
	}
	query := func(runtime string, aggregate store.Aggregate) ([]store.Series, error) {
		return b.QueryMeasurements(t.Context(), store.MeasurementQuery{
			Selection: store.Selection{Runtime: runtime, Name: "m"}, Field: "value", Step: time.Hour, Limit: 10, Aggregate: aggregate,
		})
	}
	save("floats", "1.7e308", "1.7e308", "-1.7e308")
	save("integers", "9223372036854775807", "9223372036854775807", "-9223372036854775808", "9223372036854775807")
	save("mixed", "9223372036854775807", "9223372036854775807", "0.5")
	for _, aggregate := range []store.Aggregate{store.Mean, store.Sum} {
		_, err := query("floats", aggregate)
		var problem *store.Problem
		require.ErrorAs(t, err, &problem, aggregate)
		require.Equal(t, http.StatusUnprocessableEntity, problem.Status)
		require.Contains(t, problem.Text, string(aggregate)+" of the values from 2024-05-06T00:00:00Z on")
	}
	for _, c := range []struct {
		runtime   string
		aggregate store.Aggregate
		want      float64
	}{
		{"floats", store.Max, 1.7e308}, {"floats", store.Last, -1.7e308}, {"floats", store.Count, 3},
		{"integers", store.Sum, 2 * 9223372036854775807}, {"integers", store.Mean, 9223372036854775807 / 2},
		{"mixed", store.Sum, 2 * 9223372036854775807},
	} {
		series, err := query(c.runtime, c.aggregate)
		require.NoError(t, err)
		require.InEpsilon(t, c.want, number64(t, series[0].Points[0].Value), 1e-12, "%s of %s", c.aggregate, c.runtime)
	}
}

func number64(t *testing.T, n json.Number) float64 {
	t.Helper()
	f, err := n.Float64()
	require.NoError(t, err)
	return f
}
