package local

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/runner/store"
)

// The store of a real run has what entrypoints save by themselves.
func TestChartOfTheStore(t *testing.T) {
	r := startRun(t, newBundle(t))
	r.until(t, isReady)
	from := time.Now().Add(-10 * time.Minute).Truncate(time.Minute)
	span := source.Span{From: from, To: from.Add(3 * time.Minute), Step: time.Minute}
	c, err := r.Chart(t.Context(), ref, span)
	require.NoError(t, err)
	require.Equal(t, "the entrypoint", c.From, "the store has nothing yet")

	client, err := store.New("unix://" + r.state.serving.Store)
	require.NoError(t, err)
	save := func(workflow, node, name string, after time.Duration, fields map[string]any) {
		origin := store.Origin{Version: ref.Name, Workflow: workflow, Node: node}
		require.NoError(t, client.SaveMeasurement(t.Context(), origin, store.Measurement{Name: name, Fields: fields, Time: from.Add(after)}))
	}
	aggregated := func(count int, p95 float64) map[string]any {
		return map[string]any{measure.FieldCount: count, measure.FieldElapsed: p95 / 2, measure.FieldMedian: p95 / 2, measure.FieldP95: p95}
	}
	save("two", "entrypoint", measure.NameWorkflow, 10*time.Second, aggregated(30, 10))
	save("two", "entrypoint", measure.NameWorkflow, 20*time.Second, aggregated(30, 30))
	save("two", "hello", measure.NameNode, 130*time.Second, aggregated(6, 4))
	// In the interval that has not ended, and of another version.
	save("one", "entrypoint", measure.NameWorkflow, 185*time.Second, aggregated(1, 1))
	require.NoError(t, client.SaveMeasurement(t.Context(), store.Origin{Version: "other"},
		store.Measurement{Name: measure.NameWorkflow, Fields: aggregated(1, 1), Time: from}))

	c, err = r.Chart(t.Context(), ref, span)
	require.NoError(t, err)
	require.Equal(t, "the store", c.From)
	require.Len(t, c.Times, 3)
	require.Len(t, c.Lines, 6)
	value := map[string]float64{}
	for _, l := range c.Lines {
		at := 0
		if l.Node != "" {
			at = 2
		}
		value[string(l.Measure)+" "+l.Workflow+" "+l.Node] = l.Values[at]
	}
	require.InDelta(t, 1, value["requests two "], 1e-9)
	require.InDelta(t, 0.010, value["p50 two "], 1e-9)
	require.InDelta(t, 0.030, value["p95 two "], 1e-9)
	require.InDelta(t, 0.1, value["requests two hello"], 1e-9)
	require.InDelta(t, 0.004, value["p95 two hello"], 1e-9)
}
