package store

import (
	"context"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// maxPairs limits the pairs of values that a summary is made of.
const maxPairs = 10_000

// fewSamples is the number of samples below which a share has an interval.
const fewSamples = 100

// Summary says how good predictions were. Shares are between 0 and 1.
type Summary struct {
	// Total counts all predictions, MissingValues and NewLabels those with that error.
	Total         int64 `json:"total"`
	MissingValues int64 `json:"missing_values"`
	NewLabels     int64 `json:"new_labels"`
	// Labelled counts those that have a predicted and a true value, Correct those of them
	// with equal ones.
	Labelled int64 `json:"labelled"`
	Correct  int64 `json:"correct"`
	// Accuracy is absent if nothing is labelled.
	Accuracy *Accuracy `json:"accuracy,omitempty"`
	// Labels are the values, in their order. Numbers are labels if they are integers of at
	// most three digits.
	Labels []Label `json:"labels"`
	// Confusion has a pair of values each, the most frequent first.
	Confusion []Confusion `json:"confusion"`
	// Truncated is whether there are more pairs than Labels and Confusion are made of.
	Truncated bool `json:"truncated,omitempty"`
	// Numbers are there if all labelled values are numbers.
	Numbers *Numbers `json:"numbers,omitempty"`
	// Over are intervals of an hour or a day, if these were asked for.
	Over []Interval `json:"over,omitempty"`
}

// Accuracy is the share of correct predictions. Total and Micro are the same for single
// labels; Macro is the mean of all labels' recalls, Weighted that by their support.
type Accuracy struct {
	Total    Share   `json:"total"`
	Micro    float64 `json:"micro"`
	Macro    float64 `json:"macro"`
	Weighted float64 `json:"weighted"`
}

// Share is a part of a number of samples, with its Wilson interval of 95% below 100 samples.
type Share struct {
	Value    float64     `json:"value"`
	Interval *[2]float64 `json:"interval,omitempty"`
}

// Label is how well one value was predicted. What nothing is known of is absent.
type Label struct {
	Label string `json:"label"`
	// Support counts the predictions with this true value, Predicted those that predicted it.
	Support   int64    `json:"support"`
	Predicted int64    `json:"predicted"`
	Precision *Share   `json:"precision,omitempty"`
	Recall    *Share   `json:"recall,omitempty"`
	F1        *float64 `json:"f1,omitempty"`
}

// Confusion is how often a true value was predicted as another one, or as itself.
type Confusion struct {
	True      string `json:"true"`
	Predicted string `json:"predicted"`
	Count     int64  `json:"count"`
}

// Numbers is how far predicted numbers were from the true ones: the mean absolute error and
// the root of the mean squared one.
type Numbers struct {
	Count int64   `json:"count"`
	MAE   float64 `json:"mae"`
	RMSE  float64 `json:"rmse"`
}

// Interval is an hour or a day.
type Interval struct {
	Start    time.Time `json:"start"`
	Total    int64     `json:"total"`
	Labelled int64     `json:"labelled"`
	Correct  int64     `json:"correct"`
	Accuracy *Share    `json:"accuracy,omitempty"`
	Numbers  *Numbers  `json:"numbers,omitempty"`
}

// summarize answers GET /v1/predictions/summary?from&to&version&per.
func (s *Server) summarize(r request) (any, error) {
	if s.backends.Predictions == nil {
		return nil, notKept("predictions")
	}
	values := r.URL.Query()
	of, err := selected(r, values)
	if err != nil {
		return nil, err
	}
	of.Version = values.Get("version")
	step, ok := map[string]time.Duration{"": 0, "hour": time.Hour, "day": 24 * time.Hour}[values.Get("per")]
	if !ok {
		return nil, Refuse("per: %q is not hour or day", values.Get("per"))
	}
	return Summarize(r.Context(), s.backends.Predictions, of, step)
}

// selected reads the parameters from and to.
func selected(r request, values url.Values) (of Selection, err error) {
	of.Runtime = r.from.Runtime
	for name, to := range map[string]*time.Time{"from": &of.From, "to": &of.To} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		if *to, err = time.Parse(time.RFC3339, text); err != nil {
			return of, Refuse("%s: %q is not a time as RFC 3339 has it", name, text)
		}
	}
	if !of.From.IsZero() && !of.To.IsZero() && !of.From.Before(of.To) {
		return of, Refuse("from: %s is not before to", values.Get("from"))
	}
	return of, nil
}

// Summarize makes a summary of the selected predictions; step is that of its intervals, zero
// for none.
func Summarize(ctx context.Context, b Predictions, of Selection, step time.Duration) (*Summary, error) {
	counts, err := b.CountPredictions(ctx, of, step)
	if err != nil {
		return nil, err
	}
	s := &Summary{Labels: []Label{}, Confusion: []Confusion{}}
	s.count(counts, step)
	if s.Labelled == 0 {
		return s, nil
	}
	pairs, err := b.CountPairs(ctx, of, maxPairs+1)
	if err != nil {
		return nil, err
	}
	if s.Truncated = len(pairs) > maxPairs; s.Truncated {
		pairs = pairs[:maxPairs]
	}
	s.label(slices.DeleteFunc(pairs, func(p Pair) bool { return !IsLabel(p) }))
	return s, nil
}

var (
	numeric      = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	smallInteger = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,2})$`)
)

// IsLabel reports whether a pair of values is one of labels: not both are numbers, as JSON
// writes them, or both are integers of at most three digits. Other numbers have no accuracy;
// how far they are from each other is counted.
func IsLabel(p Pair) bool {
	return !numeric.MatchString(p.True) || !numeric.MatchString(p.Predicted) ||
		smallInteger.MatchString(p.True) && smallInteger.MatchString(p.Predicted)
}

// share is a part of a number of samples; nil for none.
func share(part, of int64) *Share {
	if of == 0 {
		return nil
	}
	s := &Share{Value: float64(part) / float64(of)}
	if of < fewSamples {
		const z = 1.959963984540054 // of 95%
		n := float64(of)
		middle := (s.Value + z*z/(2*n)) / (1 + z*z/n)
		half := z / (1 + z*z/n) * math.Sqrt(s.Value*(1-s.Value)/n+z*z/(4*n*n))
		s.Interval = &[2]float64{max(0, middle-half), min(1, middle+half)}
	}
	return s
}

func numbersOf(c Counts) *Numbers {
	if c.Numbers == 0 || c.Numbers != c.Labelled {
		return nil
	}
	n := float64(c.Numbers)
	// A backend that subtracts what is deleted may be a little below zero.
	return &Numbers{Count: c.Numbers, MAE: max(0, c.Absolute) / n, RMSE: math.Sqrt(max(0, c.Squared) / n)}
}

// count takes the counts of all intervals.
func (s *Summary) count(counts []Counts, step time.Duration) {
	var sum Counts
	for _, c := range counts {
		sum.Add(c)
		if step > 0 {
			s.Over = append(s.Over, Interval{c.Start, c.Total, c.Labelled, c.Correct, share(c.Correct, c.Labelled), numbersOf(c)})
		}
	}
	s.Total, s.MissingValues, s.NewLabels = sum.Total, sum.Missing, sum.New
	s.Labelled, s.Correct, s.Numbers = sum.Labelled, sum.Correct, numbersOf(sum)
}

// label takes the pairs of values.
func (s *Summary) label(pairs []Pair) {
	labels, right := map[string]*Label{}, map[string]int64{}
	of := func(value string) *Label {
		if labels[value] == nil {
			labels[value] = &Label{Label: value}
		}
		return labels[value]
	}
	for _, p := range pairs {
		s.Confusion = append(s.Confusion, Confusion(p))
		of(p.True).Support += p.Count
		of(p.Predicted).Predicted += p.Count
		if p.True == p.Predicted {
			right[p.True] += p.Count
		}
	}
	var recalls, weighted, support float64
	for _, value := range slices.Sorted(maps.Keys(labels)) {
		l := labels[value]
		l.Precision, l.Recall = share(right[value], l.Predicted), share(right[value], l.Support)
		if l.Precision != nil && l.Recall != nil {
			f1 := 0.0
			if sum := l.Precision.Value + l.Recall.Value; sum > 0 {
				f1 = 2 * l.Precision.Value * l.Recall.Value / sum
			}
			l.F1 = &f1
		}
		if l.Recall != nil {
			recalls += l.Recall.Value
			weighted += l.Recall.Value * float64(l.Support)
			support += float64(l.Support)
		}
		s.Labels = append(s.Labels, *l)
	}
	if total := share(s.Correct, s.Labelled); total != nil && len(labels) > 0 {
		s.Accuracy = &Accuracy{*total, total.Value, recalls / float64(len(labels)), weighted / max(support, 1)}
	}
}
