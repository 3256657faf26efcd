package durable

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
)

const (
	// statusTime is how long what was read of the stream is good for.
	statusTime = 10 * time.Second
	// scrapeTime bounds a scrape that reads it.
	scrapeTime = 3 * time.Second
)

// metrics are those of the queue. What waits is read when it is asked for.
type metrics struct {
	carrier         *Carrier
	again, lost     *prometheus.CounterVec
	pending, oldest *prometheus.Desc

	mu     sync.Mutex
	read   time.Time
	status queue.Status
}

func newMetrics(c *Carrier) *metrics {
	labels := []string{"workflow", "node"}
	m := &metrics{
		carrier: c,
		again: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_queue_redelivered_total", Help: "Events that this replica got from the queue and that had been delivered before.",
		}, labels),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_queue_letters_refused_total", Help: "Results and dead letters that the store does not accept, by kind.",
		}, []string{"kind"}),
		pending: prometheus.NewDesc("krt_queue_pending",
			"Events of the version in the queue that wait for a node or are in work, as each replica reports them.", labels, nil),
		oldest: prometheus.NewDesc("krt_queue_oldest_seconds",
			"Age of the oldest of these events, 0 if there is none, as each replica reports it.", labels, nil),
	}
	for _, s := range c.steps {
		m.again.WithLabelValues(s.name.Workflow, s.name.Node)
	}
	for _, k := range letter.Kinds() {
		m.lost.WithLabelValues(string(k))
	}
	return m
}

func (m *metrics) redelivered(s queue.Step) { m.again.WithLabelValues(s.Workflow, s.Node).Inc() }

func (m *metrics) dropped(k letter.Kind) { m.lost.WithLabelValues(string(k)).Inc() }

// Describe lists the metrics, for a test of the documentation.
func Describe(to chan<- *prometheus.Desc) {
	c := &Carrier{}
	c.metrics = newMetrics(c)
	c.Describe(to)
}

// Describe implements prometheus.Collector.
func (c *Carrier) Describe(to chan<- *prometheus.Desc) {
	c.metrics.again.Describe(to)
	c.metrics.lost.Describe(to)
	to <- c.metrics.pending
	to <- c.metrics.oldest
}

// Collect implements prometheus.Collector. While the queue cannot be reached, what waits is not
// known, and is left out.
func (c *Carrier) Collect(to chan<- prometheus.Metric) {
	m := c.metrics
	m.again.Collect(to)
	m.lost.Collect(to)
	status, ok := m.fresh()
	if !ok {
		return
	}
	now := time.Now()
	type place struct{ workflow, node string }
	pending, oldest := map[place]int64{}, map[place]time.Duration{}
	for _, s := range status.Steps { // a node may be in a workflow twice
		at := place{s.Workflow, s.Node}
		pending[at] += s.Events()
		if !s.Oldest.IsZero() {
			oldest[at] = max(oldest[at], now.Sub(s.Oldest))
		}
	}
	for at, n := range pending {
		to <- prometheus.MustNewConstMetric(m.pending, prometheus.GaugeValue, float64(n), at.workflow, at.node)
		to <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, oldest[at].Seconds(), at.workflow, at.node)
	}
}

// fresh returns what the stream holds, as it was read a while ago at most.
func (m *metrics) fresh() (queue.Status, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.read) < statusTime {
		return m.status, true
	}
	if !m.carrier.client.Connected() {
		return queue.Status{}, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	status, err := m.carrier.Status(ctx)
	if err != nil {
		return status, false
	}
	m.status, m.read = status, time.Now()
	return status, true
}
