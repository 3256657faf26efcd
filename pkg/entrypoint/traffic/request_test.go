package traffic

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
)

// How long a request has waited for a canary in vain is no duration of the published version, by which
// the canary's are judged.
func TestTimeLostToACanaryIsNotThePublishedVersions(t *testing.T) {
	d := New(Options{Logger: slog.New(slog.DiscardHandler)})
	q := &Request{divider: d, state: &state{counts: d.series.canary("v2")}, begin: time.Now().Add(-24 * time.Hour)}
	q.fallBack("no connection")
	q.Served(code.Code_OK)
	registry := prometheus.NewRegistry()
	registry.MustRegister(d)
	families, err := registry.Gather()
	require.NoError(t, err)
	took, served := 0.0, uint64(0)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "krt_traffic_request_seconds" {
				took, served = took+m.GetHistogram().GetSampleSum(), served+m.GetHistogram().GetSampleCount()
			}
		}
	}
	require.EqualValues(t, 1, served)
	require.Less(t, took, time.Hour.Seconds())
}
