package entrypoint

import (
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// headerTiming has the times of the steps in a response on the web port (W3C Server Timing).
const headerTiming = "Server-Timing"

// timing is the value of the header Server-Timing.
func (r *request) timing() string {
	return record.Timing(r.answer.steps, r.route.nodes, r.begin, r.answer.end)
}

// allSteps is the value of [raw.StepsTrailer].
func (r *request) allSteps() event.Steps {
	own := event.Step{Node: "entrypoint", Start: r.begin, Run: r.answer.end.Sub(r.begin)}
	copy(own.SpanID[:], r.id[:])
	if r.answer.failure != nil {
		own.Outcome = event.OutcomeError
	}
	all := event.Steps("").Append(own)
	for _, step := range record.Read(nil, r.answer.steps, r.route.nodes, r.begin, r.answer.end) {
		all = all.Append(step)
	}
	return all
}
