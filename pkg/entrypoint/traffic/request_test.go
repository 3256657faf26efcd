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
	require.EqualValues(t, 1, count(t, d, time.Hour))
}

// The time of a stream is that to its first message, on both sides, however long the response is.
func TestTheTimeOfAStreamIsThatToItsFirstMessage(t *testing.T) {
	d := New(Options{Logger: slog.New(slog.DiscardHandler)})
	q := &Request{divider: d, state: &state{counts: d.series.canary("v2")}, begin: time.Now().Add(-24 * time.Hour)}
	q.ServedStream(code.Code_OK, q.begin.Add(time.Second))
	q.forwardedStream(code.Code_INTERNAL, q.begin.Add(2*time.Second))
	require.EqualValues(t, 2, count(t, d, 3*time.Second))
	q.ServedStream(code.Code_DEADLINE_EXCEEDED, time.Time{}) // without one it is that to the end
	require.EqualValues(t, 3, count(t, d, 25*time.Hour))
}

// count is how many requests were counted, whose times are less than most together.
func count(t *testing.T, d *Divider, most time.Duration) (served uint64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(d)
	families, err := registry.Gather()
	require.NoError(t, err)
	took := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "krt_traffic_request_seconds" {
				took, served = took+m.GetHistogram().GetSampleSum(), served+m.GetHistogram().GetSampleCount()
			}
		}
	}
	require.LessOrEqual(t, took, most.Seconds())
	return served
}
