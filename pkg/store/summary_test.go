package store_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/data/quality"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

func confusion(truth, predicted string, count int64) quality.Confusion {
	return quality.Confusion{True: truth, Predicted: predicted, Count: count}
}

func TestSummary(t *testing.T) {
	client, raw := serve(t, store.Options{})
	day := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
	for i, p := range []quality.Confusion{
		confusion("cat", "cat", 6), confusion("cat", "dog", 2), confusion("dog", "dog", 1), confusion("dog", "bird", 1),
	} {
		for range p.Count {
			require.NoError(t, client.SavePrediction(t.Context(), from(),
				wire.Prediction{TrueValue: p.True, PredictedValue: p.Predicted, Date: day.Add(time.Duration(i) * time.Hour)}))
		}
	}
	require.NoError(t, client.SavePrediction(t.Context(), from(), wire.Prediction{Error: "new_labels", Date: day}))
	var s quality.Summary
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
	require.Equal(t, quality.Confusion{True: "cat", Predicted: "cat", Count: 6}, s.Confusion[0])
	require.Len(t, s.Over, 4)
	require.Equal(t, day, s.Over[0].Start)
	require.EqualValues(t, 7, s.Over[0].Total)
	require.Nil(t, s.Numbers)
	require.Equal(t, `{"total":0,"missing_values":0,"new_labels":0,"labelled":0,"correct":0,"labels":[],"classes":0,"confusion":[]}`,
		get(t, raw, wire.PathSummary+"?from=2025-01-01T00:00:00Z"))
}

func TestSummaryOfNumbers(t *testing.T) {
	client, raw := serve(t, store.Options{})
	for i := range 100 {
		require.NoError(t, client.SavePrediction(t.Context(), from(),
			wire.Prediction{PredictedValue: strconv.Itoa(i + 3), TrueValue: strconv.FormatFloat(float64(i), 'g', -1, 64)}))
	}
	var s quality.Summary
	require.NoError(t, json.Unmarshal([]byte(get(t, raw, wire.PathSummary)), &s))
	require.Equal(t, &quality.Numbers{Count: 100, MAE: 3, RMSE: 3}, s.Numbers)
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

// TestClasses: labels beyond those that were asked for are one, and change no figure of all.
func TestClasses(t *testing.T) {
	client, raw := serve(t, store.Options{})
	long := strings.Repeat("é", 500_000)
	for _, p := range []quality.Confusion{
		confusion("cat", "cat", 3), confusion("cat", "dog", 1), confusion("dog", "dog", 2),
		confusion(long, long, 1), confusion(long+"!", "<script>\x00", 1),
	} {
		for range p.Count {
			require.NoError(t, client.SavePrediction(t.Context(), from(), wire.Prediction{TrueValue: p.True, PredictedValue: p.Predicted}))
		}
	}
	var all, two quality.Summary
	text := get(t, raw, wire.PathSummary)
	require.Less(t, len(text), 3000, "labels are cut")
	require.NoError(t, json.Unmarshal([]byte(text), &all))
	require.NoError(t, json.Unmarshal([]byte(get(t, raw, wire.PathSummary+"?classes=2")), &two))
	require.Equal(t, all.Accuracy, two.Accuracy)
	require.Equal(t, 5, all.Classes)
	require.Len(t, all.Labels, 5)
	require.EqualValues(t, 6, all.Correct, "long values are compared as a whole")
	require.Equal(t, 5, two.Classes)
	require.Equal(t, []string{"cat", "dog", quality.Others}, []string{two.Labels[0].Label, two.Labels[1].Label, two.Labels[2].Label})
	require.Equal(t, quality.Label{Label: quality.Others, Support: 2, Predicted: 2}, two.Labels[2])
	require.Equal(t, []quality.Confusion{
		confusion("cat", "cat", 3), confusion("dog", "dog", 2), confusion(quality.Others, quality.Others, 2), confusion("cat", "dog", 1),
	}, two.Confusion)
}

// TestSamples: all predictions of numbers if there are few, else some of each part of the time.
func TestSamples(t *testing.T) {
	client, raw := serve(t, store.Options{})
	start := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
	save := func(n int, every time.Duration, at time.Time) {
		for i := range n {
			require.NoError(t, client.SavePrediction(t.Context(), from(), wire.Prediction{
				PredictedValue: strconv.Itoa(i), TrueValue: "1.5", Date: at.Add(time.Duration(i) * every)}))
		}
	}
	read := func(limit int) (found []quality.Sample) {
		var list struct{ Samples []quality.Sample }
		path := wire.PathSamples + "?from=2024-05-06T00:00:00Z&to=2024-05-07T00:00:00Z&version=v1&limit=" + strconv.Itoa(limit)
		require.NoError(t, json.Unmarshal([]byte(get(t, raw, path)), &list))
		return list.Samples
	}
	require.Empty(t, read(500))
	save(60, time.Minute, start)
	require.NoError(t, client.SavePrediction(t.Context(), from(), wire.Prediction{PredictedValue: "cat", TrueValue: "1", Date: start}))
	require.Len(t, read(500), 60)
	require.Equal(t, quality.Sample{Date: start, True: 1.5, Predicted: 0}, read(500)[0])
	save(200, time.Second, start.Add(20*time.Hour))
	found := read(100)
	require.Len(t, found, 99, "one of 100 is not a number")
	require.True(t, slices.IsSortedFunc(found, func(a, b quality.Sample) int { return a.Date.Compare(b.Date) }))
	early := slices.IndexFunc(found, func(s quality.Sample) bool { return s.Date.After(start.Add(time.Hour)) })
	require.Greater(t, early, 20, "the first hour has its part")
	require.Less(t, early, 80)
	require.Len(t, read(1), 1)
}

func TestVersionsOfPredictions(t *testing.T) {
	client, raw := serve(t, store.Options{})
	save := func(version string, at time.Time) {
		require.NoError(t, client.SavePrediction(t.Context(), wire.Origin{Version: version}, wire.Prediction{Date: at}))
	}
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	save("v1", at)
	save("v1", at.Add(-2*time.Hour))
	save("v2", at.Add(time.Hour))
	require.Equal(t, `{"versions":[{"version":"v2","total":1,"first":"2024-05-06T08:00:00Z","last":"2024-05-06T08:00:00Z"},`+
		`{"version":"v1","total":2,"first":"2024-05-06T05:00:00Z","last":"2024-05-06T07:00:00Z"}]}`, get(t, raw, wire.PathVersions))
	require.Equal(t, `{"versions":[]}`, get(t, raw, wire.PathVersions+"?from=2025-01-01T00:00:00Z"))
}

// TestParameters: one that a request does not have, or that is malformed, is refused by its name.
func TestParameters(t *testing.T) {
	_, raw := serve(t, store.Options{})
	for path, want := range map[string]string{
		wire.PathPredictions + "?from=x":             `from: "x" is not a time`,
		wire.PathPredictions + "?since=2024":         `"since" is not a parameter of /v1/predictions: version, mirror, from, to, limit, cursor`,
		wire.PathPredictions + "?limit=1&limit=2":    "limit: there are 2 of it",
		wire.PathPredictions + "?a=%zz":              "the parameters are malformed",
		wire.PathMeasurements + "?to=2024-01-01":     "to: ",
		wire.PathMeasurements + "?version=v1":        `"version" is not a parameter of /v1/measurements`,
		wire.PathSummary + "?per=week":               "per: ",
		wire.PathSummary + "?mirror=yes":             `mirror: "yes" is not true, false or only`,
		wire.PathSummary + "?classes=0":              "classes: ",
		wire.PathSamples:                             "from and to: ",
		wire.PathSamples + "?name=x":                 `"name" is not a parameter`,
		wire.PathVersions + "?from=2024-05-06&to=1":  ": ",
		wire.PathChart + "?name=a&field=b&group=tag": `"group" is not a parameter`,
		data.PathCollections + "?limit=1":            `"limit" is not a parameter of /v1/data/collections, which has none`,
	} {
		response, err := raw.Get("http://store" + path)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusBadRequest, response.StatusCode, path)
		var failure wire.Failure
		require.NoError(t, json.Unmarshal(text, &failure))
		require.Contains(t, failure.Error, want, path)
	}
}

// TestMirrored: what was saved for copies of requests is marked, and left out unless asked for.
func TestMirrored(t *testing.T) {
	client, raw := serve(t, store.Options{})
	copied := from()
	copied.Mirror = true
	day := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
	require.NoError(t, client.SavePrediction(t.Context(), from(), wire.Prediction{TrueValue: "cat", PredictedValue: "cat", Date: day}))
	require.NoError(t, client.SavePrediction(t.Context(), copied, wire.Prediction{TrueValue: "cat", PredictedValue: "dog", Date: day}))
	require.NoError(t, client.SaveMeasurement(t.Context(), copied, wire.Measurement{Name: "m", Fields: map[string]any{"x": 1}, Time: day}))
	for parameter, want := range map[string]int{"": 1, "&mirror=false": 1, "&mirror=true": 2, "&mirror=only": 1} {
		var s quality.Summary
		require.NoError(t, json.Unmarshal([]byte(get(t, raw, wire.PathSummary+"?version=v1"+parameter)), &s))
		require.EqualValues(t, want, s.Total, parameter)
		list := get(t, raw, wire.PathPredictions+"?version=v1"+parameter)
		require.Equal(t, want, strings.Count(list, "predicted_value"), parameter)
		require.Equal(t, strings.Contains(parameter, "=true") || strings.Contains(parameter, "only"), strings.Contains(list, `"mirror":true`))
		require.Contains(t, get(t, raw, wire.PathVersions+"?from=2024-01-01T00:00:00Z"+parameter), fmt.Sprintf(`"total":%d`, want))
	}
	require.Contains(t, get(t, raw, wire.PathMeasurements), `"mirror":"true"`)
}
