package canary

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"

	"krt.dev/kn-krt/pkg/monitoring"
)

// accept is the value of the header by which an entrypoint is asked for its metrics.
const accept = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

const (
	// maxMetrics bounds what is read of an entrypoint, in bytes, and maxFamily a metric with all of its
	// series: 64 workflows of 32 nodes have 4 MiB.
	maxMetrics, maxFamily = 16 << 20, 8 << 20
	// maxBuckets bounds the buckets of a histogram: the entrypoint's has 78.
	maxBuckets = 1 << 10
)

// The metrics of an entrypoint that are read; docs/reference/metrics.md has them.
const (
	metricRequests  = "krt_traffic_requests_total"
	metricSeconds   = "krt_traffic_request_seconds"
	metricFallbacks = "krt_traffic_fallbacks_total"
	metricMirrored  = "krt_traffic_mirrored_total"
)

// parse reads the metrics of an entrypoint about a canary.
func parse(from io.Reader, canary string) (Counts, error) {
	limited := &io.LimitedReader{R: from, N: maxMetrics}
	families := bufio.NewReader(limited)
	c, some := Counts{}, false
	for {
		var family dto.MetricFamily
		err := protodelim.UnmarshalOptions{MaxSize: maxFamily}.UnmarshalFrom(families, &family)
		switch {
		case limited.N == 0:
			return c, fmt.Errorf("the metrics have more than %d MiB", maxMetrics>>20)
		case errors.Is(err, io.EOF) && !some:
			return c, errors.New("the response has no metrics")
		case errors.Is(err, io.EOF):
			return c, nil
		case err != nil:
			return c, fmt.Errorf("the response is not metrics: %w", err)
		}
		some = true
		for _, m := range family.GetMetric() {
			if err := c.add(family.GetName(), canary, m); err != nil {
				return c, err
			}
		}
	}
}

// add adds a series, if it is one of those that are read.
func (c *Counts) add(name, canary string, m *dto.Metric) error {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	if labels["canary"] != canary {
		return nil
	}
	value := whole(m.GetCounter().GetValue())
	switch name {
	case metricFallbacks:
		c.Fallbacks += value
	case metricMirrored:
		c.mirrored(labels["result"], value)
	case metricRequests:
		side := c.side(labels["side"])
		side.Requests += value
		if monitoring.ServerError(labels["code"]) {
			side.Failed += value
		}
	case metricSeconds:
		return c.side(labels["side"]).time(m.GetHistogram())
	}
	return nil
}

// whole is a counter's value.
func whole(value float64) int64 {
	if math.IsNaN(value) || value < 0 || value > math.MaxInt64/2 {
		return 0
	}
	return int64(value)
}

func (c *Counts) mirrored(result string, value int64) {
	switch result {
	case "equal":
		c.Equal += value
		c.Compared += value
	case "different":
		c.Compared += value
	case "failed", "dropped": // they were not compared
	}
}

func (c *Counts) side(name string) *SideCounts {
	if name == "canary" {
		return &c.Canary
	}
	return &c.Published
}

// time adds the durations of a histogram, whose buckets include those of the smaller ones.
func (a *SideCounts) time(h *dto.Histogram) error {
	if len(h.GetBucket()) > maxBuckets {
		return fmt.Errorf("metric %s has more than %d buckets", metricSeconds, maxBuckets)
	}
	if a.Durations == nil {
		a.Durations = map[float64]int64{}
	}
	before, all := uint64(0), h.GetSampleCount()
	for _, b := range h.GetBucket() {
		if math.IsNaN(b.GetUpperBound()) || b.GetCumulativeCount() < before || b.GetCumulativeCount() > all || all > math.MaxInt64/2 {
			return fmt.Errorf("metric %s has buckets that contradict each other", metricSeconds)
		}
		a.Durations[b.GetUpperBound()] += int64(b.GetCumulativeCount() - before)
		before = b.GetCumulativeCount()
	}
	a.Durations[math.Inf(1)] += int64(all - before)
	return nil
}
