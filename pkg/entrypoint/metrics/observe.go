package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Observe implements record.Observer. A workflow that [Metrics.Workflow] was not called
// with is not counted.
func (m *Metrics) Observe(r *record.Record) {
	w := (*m.workflows.Load())[r.Workflow]
	if w == nil {
		return
	}
	if !r.Background {
		w.count(r)
	}
	w.steps(r)
	for i := range r.Sends {
		s := &r.Sends[i]
		if n := w.nodes[s.Node]; n != nil {
			if attempt := n.attempts[s.Result]; attempt != nil {
				attempt.Inc()
			}
		}
	}
}

// Attempted counts an attempt that is in no record.
func (m *Metrics) Attempted(workflow, node string, result record.Result) {
	if w := (*m.workflows.Load())[workflow]; w != nil && w.nodes[node] != nil && w.nodes[node].attempts[result] != nil {
		w.nodes[node].attempts[result].Inc()
	}
}

// DeadLetter counts a dead letter of a request in flight. The node is the one that did not
// accept the event, empty if it was a channel.
func (m *Metrics) DeadLetter(workflow, node string) {
	if w := (*m.workflows.Load())[workflow]; w != nil && w.nodes[node] != nil {
		w.nodes[node].deadLetters.Inc()
	}
}

// count counts a request that has its response.
func (w *workflow) count(r *record.Record) {
	if int(r.Code) < len(w.codes) {
		w.codes[r.Code].Inc()
	}
	w.duration.observe(r.Elapsed(), r)
	switch r.Early {
	case record.EarlyReply:
		w.replies.Inc()
	case record.EarlyExit:
		w.exits.Inc()
	}
	if r.RequestBytes > 0 || r.Code == code.Code_OK { // else it may have been refused before it was read
		w.requestBytes().Observe(float64(r.RequestBytes))
	}
	if r.Code == code.Code_OK && !r.Async {
		w.responseBytes().Observe(float64(r.ResponseBytes))
	}
	if r.Messages > 0 && w.messages != nil {
		w.messages.Add(float64(r.Messages))
		w.untilFirst.observe(r.UntilFirst(), r)
	}
}

// steps counts what the runners reported. A step has waited since the one before has ended,
// or since the request began: in the network, for a pod or in a channel, and then in the
// node for a worker. Clocks of nodes differ, so it is at least what the node measured. A
// handler that is still running is counted for its early reply, and as a step when it ends.
func (w *workflow) steps(r *record.Record) {
	before := r.Begin
	if r.Background {
		before = time.Time{} // the step before may be in the first record
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		n := w.nodes[s.Node]
		if n == nil || s.Node == "" || int(s.Outcome) >= len(n.runs) {
			continue
		}
		n.runs[s.Outcome].observe(s.Run, r)
		if s.Outcome == event.OutcomeReply {
			continue
		}
		began, wait := s.Start.Add(s.Wait), s.Wait
		if !before.IsZero() {
			wait = max(wait, began.Sub(before))
		}
		n.wait.observe(wait, r)
		if s.Cold {
			n.cold.Inc()
		}
		before = began.Add(s.Run)
	}
}

// observe adds a time, with the trace id as an exemplar if the request's trace is recorded.
func (h histogram) observe(took time.Duration, r *record.Record) {
	to, seconds := h(), max(took.Seconds(), 0)
	if r.Sampled && r.Trace.Parent != "" {
		if sampled, ok := to.(prometheus.ExemplarObserver); ok {
			sampled.ObserveWithExemplar(seconds, prometheus.Labels{"trace_id": r.Trace.ID()})
			return
		}
	}
	to.Observe(seconds)
}
