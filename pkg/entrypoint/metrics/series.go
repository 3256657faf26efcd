package metrics

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// vectors are the metrics that have series for each workflow.
type vectors struct {
	requests, early, attempts, cold, deadLetters, messages       *prometheus.CounterVec
	duration, run, wait, requestBytes, responseBytes, untilFirst *prometheus.HistogramVec
}

func newVectors() vectors {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	return vectors{
		requests: counter("krt_requests_total", "Requests that have ended, by workflow and gRPC code.", "workflow", "code"),
		early: counter("krt_early_replies_total", "Responses before the last node's event: early replies and early exits.",
			"workflow", "kind"),
		attempts: counter("krt_step_attempts_total", "Attempts to send an event to a node, or to the Sequence (no node), by result.",
			"workflow", "node", "result"),
		cold: counter("krt_step_cold_starts_total", "Steps that were the first of their process.", "workflow", "node"),
		deadLetters: counter("krt_dead_letters_total", "Dead letters of requests in flight, by the node that did not accept the event.",
			"workflow", "node"),
		duration: times("krt_request_duration_seconds", "Time from request to response, by workflow.", "workflow"),
		run:      times("krt_step_duration_seconds", "Time in a node's handler, by outcome.", "workflow", "node", "outcome"),
		wait: times("krt_step_wait_seconds",
			"Time from the end of the step before, or from the request, until the node's handler began.", "workflow", "node"),
		requestBytes:  sizes("krt_request_bytes", "Size of requests in protobuf."),
		responseBytes: sizes("krt_response_bytes", "Size of responses in protobuf."),
		messages:      counter("krt_stream_messages_total", "Messages of streams that have ended, by workflow.", "workflow"),
		untilFirst:    times("krt_stream_first_message_seconds", "Time from request to the first message of its stream.", "workflow"),
	}
}

// times is a histogram of seconds: classic buckets from 1 ms to 33 s, and next to them a
// native one.
func times(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}

// sizes is a histogram of bytes, from 256 B to 64 MiB.
func sizes(name, help string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(256, 4, 10),
	}, []string{"workflow"})
}

func (v *vectors) all() []prometheus.Collector {
	return []prometheus.Collector{
		v.requests, v.early, v.attempts, v.cold, v.deadLetters, v.duration, v.run, v.wait, v.requestBytes, v.responseBytes,
		v.messages, v.untilFirst,
	}
}

// workflow are a workflow's series, looked up once. It never changes.
type workflow struct {
	name                                  string
	vectors                               *vectors
	codes                                 [code.Code_UNAUTHENTICATED + 1]prometheus.Counter // by gRPC code, 0 to 16
	replies, exits                        prometheus.Counter
	duration, requestBytes, responseBytes histogram
	messages                              prometheus.Counter // nil: it does not stream
	untilFirst                            histogram
	nodes                                 map[string]*node
}

// node are the series of a node in a workflow.
type node struct {
	runs        [event.OutcomeReply + 1]histogram
	wait        histogram
	cold        prometheus.Counter
	attempts    map[record.Result]prometheus.Counter
	deadLetters prometheus.Counter
}

// histogram is a series made when it is first used: a histogram has many, and most nodes
// have no early exits.
type histogram func() prometheus.Observer

// workflow makes the series of a workflow whose nodes are not known yet. Counters exist
// before there is something to count: Prometheus sees no increase in a series that begins
// with 1.
func (v *vectors) workflow(name string) *workflow {
	w := &workflow{
		name: name, vectors: v,
		replies:      v.early.WithLabelValues(name, string(record.EarlyReply)),
		exits:        v.early.WithLabelValues(name, string(record.EarlyExit)),
		duration:     series(v.duration, name),
		requestBytes: series(v.requestBytes, name), responseBytes: series(v.responseBytes, name),
	}
	for i := range w.codes {
		w.codes[i] = v.requests.WithLabelValues(name, code.Code_name[int32(i)])
	}
	w.nodes = map[string]*node{"": v.node(name, "")} // the Sequence, and a dead letter of a channel
	return w
}

// with returns w with the series of nodes too, and of streams if it has any.
func (w *workflow) with(nodes []string, streams bool) *workflow {
	out := *w
	if streams && out.messages == nil {
		out.messages, out.untilFirst = w.vectors.messages.WithLabelValues(w.name), series(w.vectors.untilFirst, w.name)
	}
	out.nodes = maps.Clone(w.nodes)
	for _, name := range nodes {
		if out.nodes[name] == nil {
			out.nodes[name] = w.vectors.node(w.name, name)
		}
	}
	return &out
}

// node makes the series of a node, or of the Sequence, which has no name and no steps.
func (v *vectors) node(workflow, name string) *node {
	n := &node{
		wait:        series(v.wait, workflow, name),
		attempts:    map[record.Result]prometheus.Counter{},
		deadLetters: v.deadLetters.WithLabelValues(workflow, name),
	}
	if name != "" {
		n.cold = v.cold.WithLabelValues(workflow, name)
	}
	for outcome := range n.runs {
		n.runs[outcome] = series(v.run, workflow, name, event.Outcome(outcome).String())
	}
	for _, result := range []record.Result{record.ResultOK, record.ResultRetried, record.ResultGaveUp} {
		n.attempts[result] = v.attempts.WithLabelValues(workflow, name, string(result))
	}
	return n
}

func series(of *prometheus.HistogramVec, labels ...string) histogram {
	return sync.OnceValue(func() prometheus.Observer { return of.WithLabelValues(labels...) })
}
