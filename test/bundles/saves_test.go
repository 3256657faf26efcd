package bundles_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/test/localrun"
)

// TestSaves saves what the original took: nothing of it is lost, and the handler
// that returns None after its reply has not failed.
func TestSaves(t *testing.T) {
	localrun.NeedPython(t)
	var measurements, predictions, log string
	untilNothingIsLost(t, func() *localrun.Version {
		v := localrun.Start(t, "cases/saves")
		check(t, v, call{rpc: "entrypoint.Entrypoint/One", request: `{}`, want: `{"text": "popped _id"}`})
		measurements, predictions = v.Store(t, store.PathMeasurements), v.Store(t, store.PathPredictions)
		require.Zero(t, v.Stop(t), "exit code")
		log = v.Log()
		return v
	})
	require.NotContains(t, log, "ERROR")

	var measured struct{ Measurements []store.Measurement }
	require.NoError(t, json.Unmarshal([]byte(measurements), &measured))
	got := map[string]store.Measurement{}
	for _, m := range measured.Measurements {
		got[m.Name] = m
	}
	for name, want := range map[string]map[string]string{
		"features": {"version": "saves-v1", "node": "n", "workflow": "one"},
		"score":    {"version": "saves-v1", "node": "n", "workflow": "one"},
		"partial":  {"version": "saves-v1", "node": "n", "workflow": "one"},
		"tagged":   {"version": "saves-v1", "node": "handler", "workflow": "one"},
	} {
		require.Equal(t, want, got[name].Tags, name)
		require.Equal(t, map[string]any{"beds": 2.0}, got[name].Fields, name)
	}
	var predicted struct{ Predictions []store.Prediction }
	require.NoError(t, json.Unmarshal([]byte(predictions), &predicted))
	require.Len(t, predicted.Predictions, 1)
	require.Equal(t, []any{0.1, 0.9}, predicted.Predictions[0].Extra)
}
