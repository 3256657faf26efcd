package local

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTracesAreRecordedAsTheEnvironmentSays: and the last ones are sent before the run ends.
func TestTracesAreRecordedAsTheEnvironmentSays(t *testing.T) {
	var mu sync.Mutex
	var got strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got.Write(body)
		w.WriteHeader(http.StatusOK)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "team=ml")
	r := startRun(t, newBundle(t), Options{})
	r.requireAnswer(t, "Both", "x", "world hello x")
	require.Equal(t, collector.URL, r.await(t, EventReady, 1)[0].Serving.Traces)
	require.NoError(t, r.stop())
	for _, text := range []string{"test-v1-entrypoint", "send hello", "test-v1-world", "process world", "team"} {
		require.Contains(t, got.String(), text) // protobuf has texts as they are
	}
}

// TestAVariableThatCannotBeUsedIsAWarning: it may be meant for another program.
func TestAVariableThatCannotBeUsedIsAWarning(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
	r := startRun(t, newBundle(t), Options{})
	r.requireAnswer(t, "Hello", "x", "hello x")
	require.Equal(t, `traces are not recorded: OTEL_EXPORTER_OTLP_ENDPOINT: it is not a URL such as "http://collector:4318"`,
		r.await(t, EventWarning, 1)[0].Text)
}
