package meter

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"

	"krt.dev/kn-krt/pkg/monitoring"
)

// Accept is the value of the header by which an entrypoint is asked for its metrics: native
// histograms are in protobuf only.
const Accept = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

const (
	// maxReading bounds what is read of a replica, in bytes, and maxFamily a metric with all of
	// its series: 64 workflows of 32 nodes have 4 MiB.
	maxReading, maxFamily = 16 << 20, 8 << 20
	// maxSeries bounds how many series are kept of it.
	maxSeries = 1 << 16
)

// key is a series: a metric with the labels that are looked at.
type key struct{ metric, workflow, node string }

// reading is what a replica has counted since it started.
type reading struct {
	counts map[key]float64
	times  map[key]histogram
}

// The metrics of a reading. Those with a suffix are parts of the entrypoint's metrics.
const (
	requests      = "krt_requests_total"
	failures      = "krt_requests_total, failures"
	attempts      = "krt_step_attempts_total"
	duration      = "krt_request_duration_seconds"
	stepDuration  = "krt_step_duration_seconds"
	stepFailures  = "krt_step_duration_seconds, errors"
	stepWait      = "krt_step_wait_seconds"
	resultRetried = "retried"
	resultGaveUp  = "gave_up"
)

// read reads the metrics of a replica, as [Accept] asks for them.
func read(from io.Reader) (reading, error) {
	limited := &io.LimitedReader{R: from, N: maxReading}
	families := bufio.NewReader(limited)
	r := reading{counts: map[key]float64{}, times: map[key]histogram{}}
	for {
		var family dto.MetricFamily
		err := protodelim.UnmarshalOptions{MaxSize: maxFamily}.UnmarshalFrom(families, &family)
		switch {
		case limited.N == 0:
			return r, fmt.Errorf("the metrics have more than %d MiB", maxReading>>20)
		case errors.Is(err, io.EOF):
			return r, nil
		case err != nil:
			return r, fmt.Errorf("the response is not metrics: %w", err)
		}
		for _, m := range family.GetMetric() {
			if err := r.add(family.GetName(), m); err != nil {
				return r, err
			}
		}
		if len(r.counts)+len(r.times) > maxSeries {
			return r, fmt.Errorf("the metrics have more than %d series", maxSeries)
		}
	}
}

// add adds a series, if it is one of those that are looked at.
func (r *reading) add(name string, m *dto.Metric) error {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	k := key{name, labels["workflow"], labels["node"]}
	switch name {
	case requests:
		r.counts[k] += m.GetCounter().GetValue()
		if monitoring.ServerError(labels["code"]) {
			k.metric = failures
			r.counts[k] += m.GetCounter().GetValue()
		}
	case attempts:
		k.metric = attempts + " " + labels["result"]
		r.counts[k] += m.GetCounter().GetValue()
	case duration, stepWait:
		return r.time(k, m)
	case stepDuration:
		return r.run(k, labels["outcome"], m)
	}
	return nil
}

// run adds runs of a handler. One that goes on after its early reply is counted when it ends.
func (r *reading) run(k key, outcome string, m *dto.Metric) error {
	if outcome == "reply" {
		return nil
	}
	if outcome == "error" {
		r.counts[key{stepFailures, k.workflow, k.node}] += float64(m.GetHistogram().GetSampleCount())
	}
	return r.time(k, m)
}

func (r *reading) time(k key, m *dto.Metric) error {
	h, err := newHistogram(m.GetHistogram())
	if err != nil {
		return fmt.Errorf("metric %s: %w", k.metric, err)
	}
	r.times[k] = r.times[k].plus(h)
	return nil
}
