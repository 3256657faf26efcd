package entrypoint

import (
	"context"

	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// headerTiming has the times of the steps in a response on the web port (W3C
	// Server Timing).
	headerTiming = "Server-Timing"
	// traceMetadata is the metadata by which a gRPC client asks for stepsTrailer, with the
	// value 1.
	traceMetadata = "krt-trace"
	// stepsTrailer is the gRPC trailer with the steps, as the attribute krtsteps has
	// them. Its first entry is the request itself, of the node "entrypoint": when it was
	// admitted, and how long its response took.
	stepsTrailer = "krt-steps"
)

// timing is the value of the header Server-Timing.
func (r *request) timing() string {
	return record.Timing(r.answer.steps, r.route.nodes, r.begin, r.answer.end)
}

// wantsSteps reports whether the client of a gRPC call wants to have the steps.
func wantsSteps(ctx context.Context) bool {
	values := metadata.ValueFromIncomingContext(ctx, traceMetadata)
	return len(values) == 1 && values[0] == "1"
}

// allSteps is the value of stepsTrailer.
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
