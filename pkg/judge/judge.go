// Package judge compares what a canary and the published version had in the same time, and says
// whether the canary is worse than it may be.
//
// It is pure: counts in, verdicts out. A value is judged at looks, whose number and levels are
// bounded (see [Looks]), so that looking often raises no false alarms: a plan rolls back a canary
// that is exactly as bad as it may be in at most 5 % of all cases, however long it takes and
// however often it looks. docs/explanation/canary.md has the method and its figures.
package judge

import "math"

// risk is the probability that a plan exceeds any limit by chance, if the canary is exactly as bad
// as the limits allow.
const risk = 0.05

// Limits say how much worse than the published version a canary may be. What is nil is not judged.
type Limits struct {
	// MinRequests is how many requests each side needs before anything is judged.
	MinRequests int64
	// ErrorRatio is the largest increase of the share of failed requests: 0.01 is a percentage point.
	ErrorRatio *float64
	// P95 is the largest increase of the 95th percentile of durations: 0.2 is 20 %.
	P95 *float64
	// Accuracy and Agreement bound shares.
	Accuracy  *Accuracy
	Agreement *Agreement
	// Queries bound numbers that were measured elsewhere.
	Queries []Query
	// Steps is how many steps the plan has: they share the risk of a false alarm.
	Steps int
}

// Accuracy bounds the decrease of the share of right predictions.
type Accuracy struct {
	// Decrease is the largest one: 0.02 is two percentage points.
	Decrease float64
	// MinSamples is how many predictions with a true value each side needs.
	MinSamples int64
}

// Agreement bounds the share of equal responses.
type Agreement struct {
	// Min is the smallest one, from 0 to 1.
	Min float64
	// MinSamples is how many pairs of responses are needed.
	MinSamples int64
}

// Query bounds a number; nil is no bound.
type Query struct {
	Name     string
	Min, Max *float64
}

// Share is a part of a number of samples.
type Share struct{ Part, Total int64 }

func (s Share) ratio() float64 {
	if s.Total == 0 {
		return math.NaN()
	}
	return float64(s.Part) / float64(s.Total)
}

// Side is what one version had.
type Side struct {
	// Version is its name, for sentences.
	Version string
	// Requests are those that failed by no fault of the client, of all.
	Requests Share
	// Durations are those of all of them.
	Durations Histogram
	// Correct are the predictions that were right, of those with a true value.
	Correct Share
}

// Window is what both sides had in the same time.
type Window struct {
	Published, Canary Side
	// Equal are the mirrored requests whose responses were equal, of those that were compared.
	Equal Share
	// Queries has the number of each query that has one.
	Queries map[string]float64
	// Away says of values by their name why they could not be measured: a sentence without its end.
	Away map[string]string
}

// The names of values; that of a query is its own.
const (
	ErrorRatio = "errorRatio"
	P95        = "p95"
	AccuracyOf = "accuracy"
	AgreeOf    = "agreement"
)

// Verdict is what is known about a value.
type Verdict int

// The verdicts.
const (
	// Waiting means that too little is known: too few samples, or the value is beyond the limit and
	// may be so by chance.
	Waiting Verdict = iota
	// Good means that there are enough samples, and the value is within its limit.
	Good
	// Bad means that the value is beyond its limit, and not by chance.
	Bad
)

// Value is a value of both sides, as text with its unit, and what is to be thought of it.
type Value struct {
	Name string
	// Published and Canary are empty where there is no such value.
	Published, Canary string
	// Limit is what the canary's value may be at most, or at least.
	Limit   string
	Verdict Verdict
	// Scarce says that samples are missing: the verdict is Waiting for lack of data.
	Scarce   bool
	sentence func() string
}

// Sentence has the numbers: what is waited for, or what the verdict is based on.
func (v Value) Sentence() string { return v.sentence() }

// Judge returns what is to be thought of each value that has a limit, in the order of the limits.
// The looks are those of this window; they are changed.
func (l Limits) Judge(w Window, looks Looks) []Value {
	var values []Value
	level := l.level()
	if l.ErrorRatio != nil {
		values = append(values, l.errorRatio(w, looks.of(ErrorRatio, level)))
	}
	if l.P95 != nil {
		values = append(values, l.p95(w, looks.of(P95, level)))
	}
	if l.Accuracy != nil {
		values = append(values, l.accuracy(w, looks.of(AccuracyOf, level)))
	}
	if l.Agreement != nil {
		values = append(values, l.agreement(w, looks.of(AgreeOf, level)))
	}
	for _, q := range l.Queries {
		values = append(values, l.query(q, w))
	}
	return values
}

// Enough is what a step needs besides its values: requests on both sides. The sentence says how
// many are missing; it is empty if none are.
func (l Limits) Enough(w Window) string {
	return scarce("requests to", l.MinRequests, w, func(s Side) int64 { return s.Requests.Total })
}

// level is the risk of each value in each step.
func (l Limits) level() float64 {
	judged := 0
	for _, limited := range []bool{l.ErrorRatio != nil, l.P95 != nil, l.Accuracy != nil, l.Agreement != nil} {
		if limited {
			judged++
		}
	}
	return risk / float64(max(judged, 1)*max(l.Steps, 1))
}
