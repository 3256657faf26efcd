package entrypoint

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/code"
)

// metrics counts what an entrypoint does, for GET /metrics on the reply port.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	dropped   *prometheus.CounterVec
	retries   prometheus.Counter
	forwarded prometheus.Counter
	logged    atomic.Int64 // the last second in which a drop was logged
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_requests_total", Help: "Requests that have ended, by workflow and gRPC code.",
		}, []string{"workflow", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "krt_request_duration_seconds", Help: "Time from request to response, by workflow.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"workflow"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_replies_dropped_total", Help: "Replies that were not used, by reason.",
		}, []string{"reason"}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "krt_step_retries_total", Help: "Retries of steps by direct delivery, and of Sequences that accepted no connection.",
		}),
		forwarded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "krt_replies_forwarded_total", Help: "Replies forwarded to the replica that holds the request.",
		}),
	}
	m.registry.MustRegister(m.requests, m.duration, m.dropped, m.retries, m.forwarded)
	return m
}

// inFlight registers the gauge of requests in flight.
func (m *metrics) inFlight(read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "krt_requests_in_flight", Help: "Requests in flight, including workflows that go on after an early reply.",
	}, read))
}

// held registers the gauge of bytes held.
func (m *metrics) held(read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "krt_held_bytes", Help: "Bytes of requests and responses counted in the budget, with a share for each request in flight.",
	}, read))
}

// mayLog reports whether a drop may be logged: once a second at most.
func (m *metrics) mayLog(now time.Time) bool {
	second := now.Unix()
	last := m.logged.Load()
	return last != second && m.logged.CompareAndSwap(last, second)
}

// routeCounters are a workflow's counters, looked up once.
type routeCounters struct {
	codes    [17]prometheus.Counter
	duration prometheus.Observer
}

func (m *metrics) route(workflow string) *routeCounters {
	c := &routeCounters{duration: m.duration.WithLabelValues(workflow)}
	for i := range c.codes {
		c.codes[i] = m.requests.WithLabelValues(workflow, code.Code_name[int32(i)])
	}
	return c
}

// done counts one request that has ended. Codes are those of gRPC, 0 to 16.
func (c *routeCounters) done(result code.Code, took time.Duration) {
	c.codes[result].Inc()
	c.duration.Observe(took.Seconds())
}
