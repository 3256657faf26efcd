package service

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
)

// Measurements go to a database of their own; the rest stays where documents are.
func TestMeasurementsAreForwarded(t *testing.T) {
	written := make(chan string, 16)
	database := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/write" {
			written <- r.URL.Query().Get("db") + " " + string(text)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(database.Close)
	r := start(t, func(c *Config) {
		c.Measurements, c.Spool = "influx+"+database.URL, t.TempDir()
	})
	c := r.client("kre", "v1")
	require.NoError(t, c.SaveMeasurement(t.Context(), wire.Origin{Node: "model"}, wire.Measurement{Name: "m", Fields: map[string]any{"x": 1}}))
	require.NoError(t, c.SavePrediction(t.Context(), wire.Origin{}, wire.Prediction{PredictedValue: "x"}))
	require.NoError(t, r.end()) // what waits is written at the end
	line := <-written
	require.True(t, strings.HasPrefix(line, "kre "), line)
	require.Equal(t, map[string]string{kindDocument: "sqlite", kindPrediction: "sqlite", kindMeasurement: "influx+http", kindLetter: "sqlite"},
		r.service.backends.sinks)
}

func TestWhatADatabaseDoesNotKeepIsRefused(t *testing.T) {
	c := Config{Documents: "influx+http://127.0.0.1:1"}
	_, err := open(t.Context(), c.withDefaults(), nil)
	require.ErrorContains(t, err, "KRT_STORE_DOCUMENTS: influx+http does not keep documents")
}
