package store_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

func TestSummary(t *testing.T) {
	client, raw := serve(t, store.Options{})
	day := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
	for i, p := range []store.Confusion{
		{"cat", "cat", 6}, {"cat", "dog", 2}, {"dog", "dog", 1}, {"dog", "bird", 1},
	} {
		for range p.Count {
			require.NoError(t, client.SavePrediction(t.Context(), from(),
				wire.Prediction{TrueValue: p.True, PredictedValue: p.Predicted, Date: day.Add(time.Duration(i) * time.Hour)}))
		}
	}
	require.NoError(t, client.SavePrediction(t.Context(), from(), wire.Prediction{Error: "new_labels", Date: day}))
	var s store.Summary
	require.NoError(t, json.Unmarshal([]byte(get(t, raw, wire.PathSummary+"?per=hour&version=v1")), &s))
	require.Equal(t, []int64{11, 0, 1, 10, 7}, []int64{s.Total, s.MissingValues, s.NewLabels, s.Labelled, s.Correct})
	require.InDelta(t, 0.7, s.Accuracy.Total.Value, 1e-9)
	require.InDelta(t, 0.3968, s.Accuracy.Total.Interval[0], 1e-4)
	require.InDelta(t, 0.8922, s.Accuracy.Total.Interval[1], 1e-4)
	require.InDelta(t, (0.75+0.5)/3, s.Accuracy.Macro, 1e-9, "bird has no support: its recall counts as 0, as in the original")
	require.InDelta(t, 0.7, s.Accuracy.Weighted, 1e-9)
	require.Len(t, s.Labels, 3)
	require.Nil(t, s.Labels[0].Recall)
	require.InDelta(t, 0.75, s.Labels[1].Recall.Value, 1e-9)
	require.InDelta(t, 1, s.Labels[1].Precision.Value, 1e-9)
	require.InDelta(t, 1.5/1.75, *s.Labels[1].F1, 1e-9)
	require.Equal(t, store.Confusion{True: "cat", Predicted: "cat", Count: 6}, s.Confusion[0])
	require.Len(t, s.Over, 4)
	require.Equal(t, day, s.Over[0].Start)
	require.EqualValues(t, 7, s.Over[0].Total)
	require.Nil(t, s.Numbers)
	require.Equal(t, `{"total":0,"missing_values":0,"new_labels":0,"labelled":0,"correct":0,"labels":[],"confusion":[]}`,
		get(t, raw, wire.PathSummary+"?from=2025-01-01T00:00:00Z"))
}

func TestSummaryOfNumbers(t *testing.T) {
	client, raw := serve(t, store.Options{})
	for i := range 100 {
		require.NoError(t, client.SavePrediction(t.Context(), from(),
			wire.Prediction{PredictedValue: strconv.Itoa(i + 3), TrueValue: strconv.FormatFloat(float64(i), 'g', -1, 64)}))
	}
	var s store.Summary
	require.NoError(t, json.Unmarshal([]byte(get(t, raw, wire.PathSummary)), &s))
	require.Equal(t, &store.Numbers{Count: 100, MAE: 3, RMSE: 3}, s.Numbers)
	require.Nil(t, s.Accuracy.Total.Interval, "100 samples are enough")
}

func TestChart(t *testing.T) {
	client, raw := serve(t, store.Options{})
	minute := time.Date(2024, 5, 6, 7, 8, 0, 0, time.UTC)
	for i := range 6 {
		require.NoError(t, client.SaveMeasurement(t.Context(), from(), wire.Measurement{Name: "loss", Fields: map[string]any{"value": float64(i)},
			Tags: map[string]string{"set": strconv.Itoa(i % 2)}, Time: minute.Add(time.Duration(i) * 10 * time.Second)}))
	}
	require.JSONEq(t, `{"series":[
		{"tags":{"set":"0"},"points":[{"time":"2024-05-06T07:08:00Z","value":2},{"time":"2024-05-06T07:08:30Z","value":4}]},
		{"tags":{"set":"1"},"points":[{"time":"2024-05-06T07:08:00Z","value":1},{"time":"2024-05-06T07:08:30Z","value":5}]}]}`,
		get(t, raw, wire.PathChart+"?name=loss&field=value&step=30s&aggregate=max&by=set"))
	require.JSONEq(t, `{"series":[{"points":[{"time":"2024-05-06T07:08:00Z","value":3}]}]}`,
		get(t, raw, wire.PathChart+"?name=loss&field=value&tag=set%3D1"))
	require.Equal(t, `{"series":[]}`, get(t, raw, wire.PathChart+"?name=other&field=value"))
	for query, want := range map[string]string{
		"": "name and field", "name=a&field=b&step=1": "", "name=a&field=b&step=-1s": "step", "name=a&field=b&aggregate=p99": "aggregate",
		"name=a&field=b&tag=x": "tag", "name=a&field=b&from=now": "from",
		"name=a&field=b&from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z": "from",
	} {
		res, err := raw.Get("http://store" + wire.PathChart + "?" + query)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		if want != "" {
			require.Equal(t, http.StatusBadRequest, res.StatusCode, query)
		}
	}
}
