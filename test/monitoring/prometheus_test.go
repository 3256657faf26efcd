package monitoring_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/jetstream"
	"krt.dev/kn-krt/test/monitoring/collector"
)

// config is that of the collector: as the page and config/monitoring have it, but for the
// addresses.
const config = `scrape_configs:
- job_name: krt-entrypoints
  static_configs: [{targets: [%s], labels: {namespace: test, version: my-version}}]
- job_name: krt-controller
  honor_labels: true
  static_configs: [{targets: ['%s']}]
- job_name: krt-store
  static_configs: [{targets: ['%s']}]
`

// After load of each kind, a real Prometheus has numbers for every query of the page and of
// the dashboards, and for the rules.
func TestEveryQueryHasAnAnswer(t *testing.T) {
	collector.Program(t, "prometheus")
	v, k := serve(t, ""), keep(t)
	queued := serve(t, jetstream.Start(t, jetstream.Options(t.TempDir(), -1)).ClientURL())
	targets := fmt.Sprintf("'%s', '%s'", v.reply, queued.reply)
	p := collector.Start(t, pace, fmt.Sprintf(config, targets, controller(t), k.metrics))
	queries := append(collector.Queries(t, `namespace="test",version="my-version"`),
		`ALERTS{alertname="KrtRequestErrors",alertstate="pending"}`)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		v.load(c)
		queued.load(c)
		k.load(c)
		assert.NoError(c, p.Empty(queries))
	}, patience, 500*time.Millisecond)
	// On a busy machine requests may be slow, and its disk may be what it is.
	const others = `ALERTS{alertname!~"KrtRequestErrors|KrtRequestsSlow|KrtStoreNearlyFull"}`
	for _, query := range append(queries, others) {
		values, err := p.Values(query)
		require.NoError(t, err)
		t.Log(query, values)
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) { // there is none of a target that has just been too slow
		for query, want := range map[string][]string{`krt_version_ready{version="my-version"}`: {"1"}, others: nil} {
			got, err := p.Values(query)
			require.NoError(c, err)
			require.Equal(c, want, got, query)
		}
	}, patience, 500*time.Millisecond)
}
