package service

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"krt.dev/kn-krt/pkg/buildinfo"
	"krt.dev/kn-krt/pkg/store/line"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

// metrics are those of a store. No label has a value that a client chooses, except of predictions,
// whose number is limited.
type metrics struct {
	registry *prometheus.Registry
	sinks    map[string]string // what keeps a kind

	writes, reads *prometheus.CounterVec
	writeTime     *prometheus.HistogramVec
	readTime      *prometheus.HistogramVec
	inFlight      prometheus.Gauge
	deleted       *prometheus.CounterVec
	predictions   *predictions
	up            *prometheus.GaugeVec
}

// newMetrics returns metrics of a store whose kinds are kept by sinks, such as "sqlite".
func newMetrics(sinks map[string]string) *metrics {
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}, []string{"kind"})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(), sinks: sinks,
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_store_writes_total", Help: "Requests to save, and to delete letters, by kind, what keeps it, and result.",
		}, []string{"kind", "sink", "result"}),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_store_reads_total", Help: "Requests to find or list, by kind, what keeps it, and result.",
		}, []string{"kind", "sink", "result"}),
		writeTime: histogram("krt_store_write_duration_seconds", "Time of requests to save, and to delete letters, that succeeded, in seconds."),
		readTime:  histogram("krt_store_read_duration_seconds", "Time of requests to find or list that succeeded, in seconds."),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "krt_store_requests_in_flight", Help: "Requests in flight, those that wait for room included.",
		}),
		deleted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_store_expired_total", Help: "Entries deleted because they were older than their setting retention-*, by kind.",
		}, []string{"kind"}),
		predictions: newPredictions(),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "krt_store_up", Help: "1 if the database that keeps a kind can be used when this is read, else 0.",
		}, []string{"kind", "sink"}),
	}
	m.registry.MustRegister(m.writes, m.reads, m.writeTime, m.readTime, m.inFlight, m.deleted, m.predictions, m.up, buildinfo.Collector(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for kind, sink := range sinks {
		for _, result := range []string{resultOK, resultRefused, resultDenied, resultLimited, resultFailed} {
			m.writes.WithLabelValues(kind, sink, result)
			m.reads.WithLabelValues(kind, sink, result)
		}
	}
	return m
}

// Results of requests.
const (
	resultOK      = "ok"
	resultRefused = "refused" // its content
	resultDenied  = "denied"  // its credential
	resultLimited = "limited" // too many of its version
	resultFailed  = "failed"  // the store, or the database behind it
)

func resultOf(status int) string {
	switch {
	case status < http.StatusMultipleChoices:
		return resultOK
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return resultDenied
	case status == http.StatusTooManyRequests:
		return resultLimited
	case status < http.StatusInternalServerError:
		return resultRefused
	}
	return resultFailed
}

// begin counts a request, whose status the function returned is called with at its end.
func (m *metrics) begin(kind, operation string) (end func(status int)) {
	begin := time.Now()
	m.inFlight.Inc()
	return func(status int) {
		m.inFlight.Dec()
		sink, known := m.sinks[kind]
		if !known {
			return
		}
		counter, histogram := m.reads, m.readTime
		if operation == operationWrite {
			counter, histogram = m.writes, m.writeTime
		}
		result := resultOf(status)
		counter.WithLabelValues(kind, sink, result).Inc()
		if result == resultOK {
			histogram.WithLabelValues(kind).Observe(time.Since(begin).Seconds())
		}
	}
}

// queue registers the measurements that wait for a database that is only written to. It
// is called once at most.
func (m *metrics) queue(counts func() line.Counts) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "krt_store_queue_bytes", Help: "Bytes of measurements that are accepted and not yet written to their database.",
		}, func() float64 {
			c := counts()
			return float64(c.Memory) + float64(c.Disk)
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "krt_store_dropped_total",
			Help: "Measurements that were accepted and are lost: their database refused them, or there was no room to keep them.",
		}, func() float64 { return float64(counts().Dropped) }),
	)
}

// files registers what SQLite's files take. It is called once at most.
func (m *metrics) files(usages func() []sqlite.Usage) { m.registry.MustRegister(newFiles(usages)) }

// Describe lists the metrics of a store, for a test of the documentation.
func Describe(to chan<- *prometheus.Desc) {
	m := newMetrics(nil)
	m.queue(func() line.Counts { return line.Counts{} })
	m.files(func() []sqlite.Usage { return nil })
	m.registry.Describe(to)
}

// handler serves the metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
