package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Why spans are dropped: the label reason of krt_spans_dropped_total.
const (
	droppedFull   = "queue_full"
	droppedFailed = "export_failed"
)

// Counters are the metrics of a [Recorder].
type Counters struct {
	exported prometheus.Counter
	dropped  *prometheus.CounterVec
}

// NewCounters returns counters of nothing.
func NewCounters() *Counters {
	c := &Counters{
		exported: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "krt_spans_exported_total", Help: "Spans of traces that the collector has accepted.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_spans_dropped_total", Help: "Spans of traces that the collector did not get, by reason.",
		}, []string{"reason"}),
	}
	c.drop(droppedFull, 0)
	c.drop(droppedFailed, 0)
	return c
}

// Describe implements prometheus.Collector.
func (c *Counters) Describe(to chan<- *prometheus.Desc) {
	c.exported.Describe(to)
	c.dropped.Describe(to)
}

// Collect implements prometheus.Collector.
func (c *Counters) Collect(to chan<- prometheus.Metric) {
	c.exported.Collect(to)
	c.dropped.Collect(to)
}

func (c *Counters) drop(reason string, spans int) {
	c.dropped.WithLabelValues(reason).Add(float64(spans))
}
