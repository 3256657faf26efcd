// Package metrics makes the Prometheus metrics of an entrypoint, most of them from the
// record of each request (package record). docs/reference/metrics.md lists them.
//
// Values of labels are names that the version declares, codes of gRPC and constants: what a
// client or a node sends is none, so the number of series is bounded.
package metrics

import (
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"krt.dev/kn-krt/pkg/buildinfo"
)

// Metrics is the registry of one entrypoint, and what it counts itself. It is a
// record.Observer.
type Metrics struct {
	registry  *prometheus.Registry
	vectors   vectors
	dropped   *prometheus.CounterVec
	retries   prometheus.Counter
	forwarded prometheus.Counter

	change    sync.Mutex // of workflows
	workflows atomic.Pointer[map[string]*workflow]
}

// New returns metrics without workflows, in a registry of their own. The reasons are those
// that replies are dropped for.
func New(reasons ...string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		vectors:  newVectors(),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_replies_dropped_total", Help: "Replies that were not used, by reason.",
		}, []string{"reason"}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "krt_step_retries_total",
			Help: "Retries of steps by direct delivery, and of Sequences that accepted no connection. Use krt_step_attempts_total instead.",
		}),
		forwarded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "krt_replies_forwarded_total", Help: "Replies forwarded to the replica that holds the request.",
		}),
	}
	m.registry.MustRegister(m.dropped, m.retries, m.forwarded, buildinfo.Collector(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.vectors.all()...)
	m.workflows.Store(&map[string]*workflow{})
	for _, reason := range reasons {
		m.dropped.WithLabelValues(reason)
	}
	return m
}

// Gauges registers what is read when it is asked for: the requests in flight, and the
// bytes held of them. It must be called once at most.
func (m *Metrics) Gauges(inFlight, held func() float64) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "krt_requests_in_flight", Help: "Requests in flight, including workflows that continue after an early reply.",
		}, inFlight),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "krt_held_bytes", Help: "Bytes of requests and responses counted in the budget, with a share for each request in flight.",
		}, held),
	)
}

// Add adds collectors to the registry. The error names a metric that there is already.
func (m *Metrics) Add(collectors ...prometheus.Collector) error {
	for _, c := range collectors {
		if err := m.registry.Register(c); err != nil {
			return fmt.Errorf("cannot add to the metrics: %w", err)
		}
	}
	return nil
}

// Handler serves the metrics, as OpenMetrics with exemplars or as protobuf with native
// histograms if the client accepts that.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Describe lists the metrics, for a test of the documentation.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) { m.registry.Describe(to) }

// Workflow prepares the series of a workflow and its nodes, and of streams if its rpc has them. It
// may be called again: an entrypoint that serves another version counts on.
func (m *Metrics) Workflow(name string, nodes []string, streams bool) {
	m.change.Lock()
	defer m.change.Unlock()
	all := maps.Clone(*m.workflows.Load())
	w := all[name]
	if w == nil {
		w = m.vectors.workflow(name)
	}
	all[name] = w.with(nodes, streams)
	m.workflows.Store(&all)
}

// Dropped counts a reply that is not used.
func (m *Metrics) Dropped(reason string) { m.dropped.WithLabelValues(reason).Inc() }

// Retried counts a retry of a step.
func (m *Metrics) Retried() { m.retries.Inc() }

// Forwarded counts a reply that was forwarded to the replica that holds the request.
func (m *Metrics) Forwarded() { m.forwarded.Inc() }
