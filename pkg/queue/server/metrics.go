package server

import (
	"net/http"

	nats "github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"krt.dev/kn-krt/pkg/buildinfo"
	"krt.dev/kn-krt/pkg/queue"
)

// maxVersions bounds the versions of which there are metrics.
const maxVersions = 10_000

// metrics are those of a queue. What waits for each step is in those of the entrypoints.
type metrics struct {
	queue                                          *Queue
	events, bytes, limit                           *prometheus.Desc // of a version
	room, reserved, used, connections, up, streams *prometheus.Desc
}

func newMetrics(q *Queue) *metrics {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &metrics{
		queue:       q,
		events:      describe("krt_queue_events", "Events that a version's stream holds: they wait or are in work.", "namespace", "version"),
		bytes:       describe("krt_queue_bytes", "Bytes of these events.", "namespace", "version"),
		limit:       describe("krt_queue_limit_bytes", "Bytes that a version's stream may hold.", "namespace", "version"),
		room:        describe("krt_queue_room_bytes", "Bytes that the streams of all versions may have together (-bytes)."),
		reserved:    describe("krt_queue_reserved_bytes", "Bytes that the streams of all versions may hold: a new one must fit into the rest."),
		used:        describe("krt_queue_used_bytes", "Bytes that the events of all versions take."),
		connections: describe("krt_queue_connections", "Connections of clients."),
		streams:     describe("krt_queue_streams", "Streams, each that of a version."),
		up:          describe("krt_queue_up", "1 if the queue can be used when this is read, else 0."),
	}
}

// handler serves the metrics.
func (m *metrics) handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(m, buildinfo.Collector(), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Describe lists the metrics of a queue, for a test of the documentation.
func Describe(to chan<- *prometheus.Desc) { newMetrics(nil).Describe(to) }

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.events, m.bytes, m.limit, m.room, m.reserved, m.used, m.connections, m.streams, m.up} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	up := 1.0
	if m.queue.Ready() != nil {
		up = 0
	}
	gauge(m.up, up)
	gauge(m.room, float64(m.queue.config.Bytes))
	gauge(m.connections, float64(m.queue.nats.NumClients()))
	info, err := m.queue.nats.Jsz(&nats.JSzOptions{Accounts: true, Streams: true, Config: true, Limit: maxVersions})
	if err != nil {
		return
	}
	gauge(m.used, float64(info.Store))
	gauge(m.reserved, float64(info.ReservedStore))
	gauge(m.streams, float64(info.Streams))
	for _, account := range info.AccountDetails {
		for _, s := range account.Streams {
			namespace, version, ours := queue.ParseStream(s.Name)
			if !ours || s.Name != account.Name {
				continue
			}
			gauge(m.events, float64(s.State.Msgs), namespace, version)
			gauge(m.bytes, float64(s.State.Bytes), namespace, version)
			if s.Config != nil {
				gauge(m.limit, float64(s.Config.MaxBytes), namespace, version)
			}
		}
	}
}
