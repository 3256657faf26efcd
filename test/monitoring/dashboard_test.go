package monitoring_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/promql"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/test/monitoring/collector"
)

// podsReady is what kube-state-metrics has of two pods of a node, one of which is ready.
const podsReady = `kube_pod_status_ready{condition="true",namespace="test",pod="my-version-etl-00001-deployment-a-b"} 1
kube_pod_status_ready{condition="true",namespace="test",pod="my-version-etl-00001-deployment-a-c"} 0
`

// The dashboard's one query has all numbers of a version in a real Prometheus.
func TestTheDashboardsQuery(t *testing.T) {
	collector.Program(t, "prometheus")
	v := serve(t, "")
	state := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, podsReady) }))
	defer state.Close()
	p := collector.Start(t, pace, fmt.Sprintf(`scrape_configs:
- job_name: krt-entrypoints
  static_configs: [{targets: ['%s'], labels: {namespace: test, version: my-version}}]
- job_name: kube-state-metrics
  honor_labels: true
  static_configs: [{targets: ['%s']}]
`, v.reply, strings.TrimPrefix(state.URL, "http://")))
	c, err := promql.New(p.URL())
	require.NoError(t, err)
	ref := source.Ref{Namespace: "test", Name: "my-version"}
	began := time.Now()
	require.EventuallyWithT(t, func(to *assert.CollectT) {
		v.load(to)
		n, err := c.Numbers(t.Context(), ref)
		if !assert.NoError(to, err) || !assert.NotNil(to, n) || !assert.NotNil(to, n.Workflows["flow"]) {
			return
		}
		for name, load := range map[string]source.Load{
			"flow": n.Workflows["flow"].Load, "etl": n.Workflows["flow"].Nodes["etl"].Load,
		} {
			assert.Positive(to, load.PerSecond, name)
			assert.Positive(to, load.Errors, name)
			assert.Positive(to, load.P50, name)
			assert.GreaterOrEqual(to, load.P95, load.P50, name)
		}
		assert.Positive(to, n.Workflows["flow"].Nodes["etl"].Waited)
		assert.Positive(to, n.Workflows["flow"].Nodes["etl"].Retries)
	}, patience, 500*time.Millisecond)

	// The last point is of a whole second, which may be before the load.
	require.EventuallyWithT(t, func(to *assert.CollectT) {
		chart, err := c.Chart(t.Context(), ref, source.Span{From: began.Add(-10 * time.Second), To: time.Now(), Step: time.Second})
		require.NoError(to, err)
		last := map[string]float64{}
		for _, line := range chart.Lines {
			require.Len(to, line.Values, len(chart.Times))
			last[fmt.Sprint(line.Measure, " ", line.Workflow, " ", line.Node)] = line.Values[len(line.Values)-1]
		}
		for _, want := range []string{"requests flow ", "errors flow ", "p50 flow ", "p95 flow ", "requests flow etl", "p95 flow model"} {
			assert.Positive(to, last[want], want)
		}
		assert.InDelta(to, 1, last["pods  etl"], 0)
	}, patience, 500*time.Millisecond)

	require.EventuallyWithT(t, func(to *assert.CollectT) {
		v.load(to)
		c.ReadLoads(t.Context())
		load, known := c.Loads([]source.Ref{ref}).Of[ref]
		require.True(to, known)
		require.Positive(to, load.PerSecond)
		require.Positive(to, load.Errors)
		require.Positive(to, load.P95)
	}, patience, 500*time.Millisecond)

	n, err := c.Numbers(t.Context(), source.Ref{Namespace: "test", Name: "other"})
	require.NoError(t, err)
	require.Nil(t, n)
}
