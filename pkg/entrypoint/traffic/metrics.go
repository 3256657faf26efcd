package traffic

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/code"
)

// series are the metrics of a divider. They have the series of the last canary, until there
// is another one: its last counts must be read, however it ended.
type series struct {
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	fallbacks *prometheus.CounterVec
	mirrored  *prometheus.CounterVec
}

// The histogram's buckets grow by a fifth, so that an increase of a percentile by that much can be
// seen, from half a millisecond to ten minutes.
const (
	firstBucket, lastBucket = 0.0005, 600
	bucketGrowth            = 1.2
)

func newSeries() *series {
	buckets := 1 + int(math.Ceil(math.Log(lastBucket/firstBucket)/math.Log(bucketGrowth)))
	return &series{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_traffic_requests_total",
			Help: "Requests that were divided between the published version and its canary, by side and gRPC code.",
		}, []string{"canary", "side", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "krt_traffic_request_seconds", Help: "Time from request to response of divided requests, by side.",
			Buckets: prometheus.ExponentialBuckets(firstBucket, bucketGrowth, buckets),
		}, []string{"canary", "side"}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_traffic_fallbacks_total",
			Help: "Requests that the published version served because the canary was not available or refused their credentials.",
		}, []string{"canary"}),
		mirrored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "krt_traffic_mirrored_total",
			Help: "Requests that were to be copied to the canary, by result: equal, different, failed, dropped.",
		}, []string{"canary", "result"}),
	}
}

func (s *series) all() []prometheus.Collector {
	return []prometheus.Collector{s.requests, s.seconds, s.fallbacks, s.mirrored}
}

func (s *series) describe(to chan<- *prometheus.Desc) {
	for _, c := range s.all() {
		c.Describe(to)
	}
}

func (s *series) collect(to chan<- prometheus.Metric) {
	for _, c := range s.all() {
		c.Collect(to)
	}
}

// counts are the series of one canary. They exist before there is something to count.
type counts struct {
	of                string // the canary's name
	published, canary side
	fallbacks         prometheus.Counter
	mirrored          [dropped + 1]prometheus.Counter // by result
}

// side is one of the two versions.
type side struct {
	codes   [code.Code_UNAUTHENTICATED + 1]prometheus.Counter // by gRPC code, 0 to 16
	seconds prometheus.Observer
}

func (s *series) canary(name string) *counts {
	c := &counts{of: name, published: s.side(name, "published"), canary: s.side(name, "canary"), fallbacks: s.fallbacks.WithLabelValues(name)}
	for r := range c.mirrored {
		c.mirrored[r] = s.mirrored.WithLabelValues(name, outcome(r).String())
	}
	return c
}

func (s *series) side(canary, name string) (out side) {
	for i := range out.codes {
		out.codes[i] = s.requests.WithLabelValues(canary, name, code.Code_name[int32(i)])
	}
	out.seconds = s.seconds.WithLabelValues(canary, name)
	return out
}

// forget removes the series of a canary.
func (s *series) forget(name string) {
	of := prometheus.Labels{"canary": name}
	s.requests.DeletePartialMatch(of)
	s.seconds.DeletePartialMatch(of)
	s.fallbacks.DeletePartialMatch(of)
	s.mirrored.DeletePartialMatch(of)
}

func (s *side) add(result code.Code, took time.Duration) {
	if result < 0 || int(result) >= len(s.codes) {
		result = code.Code_UNKNOWN // a number that gRPC does not define
	}
	s.codes[result].Inc()
	s.seconds.Observe(took.Seconds())
}
