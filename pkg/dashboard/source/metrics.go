package source

import (
	"context"
	"time"
)

// Meters have numbers of versions that run. They are a part of [Source].
type Meters interface {
	// Numbers returns what the version has done in the last minute; nil if that is not known: as
	// long as nobody follows the numbers of a version, nothing may read them.
	Numbers(ctx context.Context, ref Ref) (*Numbers, error)
	// FollowNumbers reads the numbers of the version, and calls changed each time there are new
	// ones, or they could not be read, until ctx is done. The calls do not overlap.
	FollowNumbers(ctx context.Context, ref Ref, changed func()) error
	// Loads returns how much the versions are used, as far as that is known: it waits for nothing.
	Loads(refs []Ref) Loads
	// FollowLoads reads what Loads returns of as many versions as can be read at little cost, and
	// calls changed after each reading until ctx is done. The calls do not overlap.
	FollowLoads(ctx context.Context, changed func()) error
	// Chart returns the numbers of a time, from the best place that has them. A [*RefusedError]
	// says why there are none.
	Chart(ctx context.Context, ref Ref, span Span) (*Chart, error)
}

// Span is a time that is shown in intervals of the same length.
type Span struct {
	From, To time.Time
	// Step is the length of an interval: whole seconds.
	Step time.Duration
}

// Times are the ends of the intervals, which are multiples of the step since 1970.
func (s Span) Times() (ends []time.Time) {
	for at := s.From.Truncate(s.Step).Add(s.Step); !at.After(s.To); at = at.Add(s.Step) {
		ends = append(ends, at)
	}
	return ends
}

// Chart is numbers over time.
type Chart struct {
	// From names where they come from, for people: "Prometheus", "the store", "the entrypoint".
	From string
	// Notes are sentences about what is missing.
	Notes []string
	// Times are the ends of the intervals.
	Times []time.Time
	Lines []Line
}

// Measure is what the values of a line are.
type Measure string

// The measures. Requests and Errors are per second, the median and the 95th percentile in
// seconds, and Pods how many there are.
const (
	Requests Measure = "requests"
	Errors   Measure = "errors"
	Median   Measure = "p50"
	Slowest  Measure = "p95"
	Pods     Measure = "pods"
)

// Line is a measure of a workflow or, with a node, of the node in the workflow. Pods are those of a
// node in all workflows, which have no name then.
type Line struct {
	Measure        Measure
	Workflow, Node string
	// Values has one for each of the chart's times; NaN where nothing is known.
	Values []float64
}

// Numbers is what a version has done in the last seconds or minutes.
type Numbers struct {
	// At is when they were read, Over the time before it that they are of.
	At   time.Time
	Over time.Duration
	// From names where they come from, for people: "Prometheus", "the entrypoint".
	From string
	// Missing are the replicas whose numbers could not be read, and are not included.
	Missing []string
	// Workflows has the workflows that are known there, by name.
	Workflows map[string]*WorkflowNumbers
}

// Load is how much something was used, and how it did.
type Load struct {
	// PerSecond is how many a second have ended, Errors how many of them in a failure.
	PerSecond, Errors float64
	// P50 and P95 are the times that 50 % and 95 % did not exceed; zero if there were none.
	P50, P95 time.Duration
}

// WorkflowNumbers are those of a workflow: its requests, from admission to response.
type WorkflowNumbers struct {
	Load
	// Nodes has the nodes that are known there, by name.
	Nodes map[string]*NodeNumbers
}

// NodeNumbers are those of a node in a workflow: the runs of its handler.
type NodeNumbers struct {
	Load
	// Retries is how many events a second were sent to the node again, GaveUp how many it
	// did not accept in the end.
	Retries, GaveUp float64
	// Waited is the time that 95 % of the events did not exceed between the step before and
	// the handler: in the network, for a pod, for a worker.
	Waited time.Duration
}
