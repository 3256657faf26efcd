package canary

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/traffic"
)

// metricsOf is what an entrypoint with these collectors serves.
func metricsOf(t testing.TB, all ...prometheus.Collector) []byte {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(append(all, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())...)
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return w.Body.Bytes()
}

func someMetrics(t testing.TB) []byte {
	t.Helper()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricRequests}, []string{"canary", "side", "code"})
	for side, n := range map[string]float64{"published": 100, "canary": 10} {
		requests.WithLabelValues("v2", side, "OK").Add(n)
		requests.WithLabelValues("v2", side, "INVALID_ARGUMENT").Add(n)
		requests.WithLabelValues("v2", side, "INTERNAL").Add(3)
		requests.WithLabelValues("v3", side, "INTERNAL").Add(1000)
	}
	of := prometheus.HistogramOpts{Name: metricSeconds, Buckets: []float64{0.1, 0.2}}
	seconds := prometheus.NewHistogramVec(of, []string{"canary", "side"})
	for _, took := range []float64{0.05, 0.15, 0.16, 7} {
		seconds.WithLabelValues("v2", "canary").Observe(took)
	}
	fallbacks := prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricFallbacks}, []string{"canary"})
	fallbacks.WithLabelValues("v2").Add(4)
	mirrored := prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricMirrored}, []string{"canary", "result"})
	for result, n := range map[string]float64{"equal": 90, "different": 5, "failed": 7, "dropped": 11} {
		mirrored.WithLabelValues("v2", result).Add(n)
	}
	return metricsOf(t, requests, seconds, fallbacks, mirrored)
}

func TestMetricsOfACanary(t *testing.T) {
	c, err := parse(bytes.NewReader(someMetrics(t)), "v2")
	require.NoError(t, err)
	require.EqualValues(t, []int64{203, 3, 23, 3, 4, 90, 95}, []int64{c.Published.Requests, c.Published.Failed, c.Canary.Requests,
		c.Canary.Failed, c.Fallbacks, c.Equal, c.Compared})
	h := c.Canary.side("v2", 0).Durations
	require.EqualValues(t, 4, h.Total())
	require.InDelta(t, 0.15, h.Quantile(0.5), 1e-9)
	require.InDelta(t, 0.2, h.Quantile(0.95), 1e-9, "beyond the last bucket, its bound is all that is known")
}

// The entrypoint's own metrics have the names that are read here.
func TestMetricsOfTheEntrypoint(t *testing.T) {
	text := metricsOf(t, traffic.New(traffic.Options{}))
	_, err := parse(bytes.NewReader(text), "v2")
	require.NoError(t, err)
	described := make(chan *prometheus.Desc, 100)
	traffic.New(traffic.Options{}).Describe(described)
	close(described)
	all := ""
	for d := range described {
		all += d.String()
	}
	for _, name := range []string{metricRequests, metricSeconds, metricFallbacks, metricMirrored} {
		require.Contains(t, all, `"`+name+`"`)
	}
}

func TestMetricsThatCannotBeRead(t *testing.T) {
	_, err := parse(bytes.NewReader(nil), "v2")
	require.EqualError(t, err, "the response has no metrics")
	_, err = parse(bytes.NewReader([]byte("<html>")), "v2")
	require.ErrorContains(t, err, "the response is not metrics")
}

func FuzzParse(f *testing.F) {
	f.Add(someMetrics(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse(bytes.NewReader(text), "v2")
		if err != nil {
			return
		}
		w := newWindow(nil)
		w.add(&Reading{Pods: map[string]Counts{"a": c}, Running: map[string]bool{"a": true}})
		w.counts().judged("v1", "v2").Canary.Durations.Quantile(0.95)
	})
}
