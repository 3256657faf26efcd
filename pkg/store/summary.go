package store

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/data/quality"
)

const (
	// maxPairs limits the pairs of values that a summary is made of.
	maxPairs = 10_000
	// maxClasses limits the labels of a summary: each pair of values could have two.
	maxClasses = 2 * maxPairs
	// maxIntervals limits a summary over time: a year of hours, 24 years of days.
	maxIntervals = 9000
	// fewSamples is the number of samples below which a share has an interval.
	fewSamples = 100
)

// summarize answers GET /v1/predictions/summary?from&to&version&mirror&per&classes.
func (s *Server) summarize(r request) (any, error) {
	if s.backends.Predictions == nil {
		return nil, notKept("predictions")
	}
	of, err := r.predictions()
	if err != nil {
		return nil, err
	}
	step, ok := map[string]time.Duration{"": 0, "hour": time.Hour, "day": 24 * time.Hour}[r.values.Get("per")]
	if !ok {
		return nil, Refuse("per: %q is not hour or day", r.values.Get("per"))
	}
	classes, err := r.number("classes", maxClasses, maxClasses)
	if err != nil {
		return nil, err
	}
	return summaryOf(r.Context(), s.backends.Predictions, of, step, classes)
}

// selected reads the parameters from, to, name and version, as far as the request has them.
func (r request) selected() (of Selection, err error) {
	of = Selection{Runtime: r.from.Runtime, Name: r.values.Get("name"), Version: r.values.Get("version")}
	for name, to := range map[string]*time.Time{"from": &of.From, "to": &of.To} {
		text := r.values.Get(name)
		if text == "" {
			continue
		}
		if *to, err = time.Parse(time.RFC3339, text); err != nil {
			return of, Refuse("%s: %q is not a time as RFC 3339 has it", name, text)
		}
	}
	if !of.From.IsZero() && !of.To.IsZero() && !of.From.Before(of.To) {
		return of, Refuse("from: %s is not before to", r.values.Get("from"))
	}
	return of, nil
}

// summaryOf makes a summary of the selected predictions. Step is that of its intervals, zero for
// none; it has at most so many classes, and what is beyond them together.
func summaryOf(ctx context.Context, b Predictions, of Selection, step time.Duration, classes int) (*quality.Summary, error) {
	counts, err := b.CountPredictions(ctx, of, step)
	if err != nil {
		return nil, err
	}
	if step > 0 && len(counts) > maxIntervals {
		return nil, Refuse("more than %d intervals: take a shorter time, or per=day", maxIntervals)
	}
	s := &summary{Summary: quality.Summary{Labels: []quality.Label{}, Confusion: []quality.Confusion{}}}
	s.count(counts, step)
	if s.Labelled == 0 {
		return &s.Summary, nil
	}
	pairs, err := b.CountPairs(ctx, of, maxPairs+1)
	if err != nil {
		return nil, err
	}
	if s.Truncated = len(pairs) > maxPairs; s.Truncated {
		pairs = pairs[:maxPairs]
	}
	s.label(slices.DeleteFunc(pairs, func(p Pair) bool { return !IsLabel(p) }), classes)
	return &s.Summary, nil
}

// share is a part of a number of samples; nil for none.
func share(part, of int64) *quality.Share {
	if of == 0 {
		return nil
	}
	s := &quality.Share{Value: float64(part) / float64(of)}
	if of < fewSamples {
		const z = 1.959963984540054 // of 95%
		n := float64(of)
		middle := (s.Value + z*z/(2*n)) / (1 + z*z/n)
		half := z / (1 + z*z/n) * math.Sqrt(s.Value*(1-s.Value)/n+z*z/(4*n*n))
		s.Interval = &[2]float64{max(0, middle-half), min(1, middle+half)}
	}
	return s
}

func numbersOf(c Counts) *quality.Numbers {
	if c.Numbers == 0 || c.Numbers != c.Labelled {
		return nil
	}
	n := float64(c.Numbers)
	// A backend that subtracts what is deleted may be a little below zero.
	return &quality.Numbers{Count: c.Numbers, MAE: max(0, c.Absolute) / n, RMSE: math.Sqrt(max(0, c.Squared) / n)}
}

// summary is a [quality.Summary] that is made.
type summary struct{ quality.Summary }

// count takes the counts of all intervals.
func (s *summary) count(counts []Counts, step time.Duration) {
	var sum Counts
	for _, c := range counts {
		sum.Add(c)
		if step > 0 {
			s.Over = append(s.Over, quality.Interval{
				Start: c.Start, Total: c.Total, MissingValues: c.Missing, NewLabels: c.New,
				Labelled: c.Labelled, Correct: c.Correct, Accuracy: share(c.Correct, c.Labelled), Numbers: numbersOf(c),
			})
		}
	}
	s.Total, s.MissingValues, s.NewLabels = sum.Total, sum.Missing, sum.New
	s.Labelled, s.Correct, s.Numbers = sum.Labelled, sum.Correct, numbersOf(sum)
}

// label takes the pairs of values.
func (s *summary) label(pairs []Pair, classes int) {
	labels, right := map[string]*quality.Label{}, map[string]int64{}
	of := func(value string) *quality.Label {
		if labels[value] == nil {
			labels[value] = &quality.Label{Label: value}
		}
		return labels[value]
	}
	for _, p := range pairs {
		of(p.True).Support += p.Count
		of(p.Predicted).Predicted += p.Count
		if p.True == p.Predicted {
			right[p.True] += p.Count
		}
	}
	var recalls, weighted, support float64
	all := make([]quality.Label, 0, len(labels))
	for _, value := range slices.Sorted(maps.Keys(labels)) {
		l := labels[value]
		l.Precision, l.Recall = share(right[value], l.Predicted), share(right[value], l.Support)
		l.F1 = f1(l.Precision, l.Recall)
		if l.Recall != nil {
			recalls += l.Recall.Value
			weighted += l.Recall.Value * float64(l.Support)
			support += float64(l.Support)
		}
		all = append(all, *l)
	}
	if total := share(s.Correct, s.Labelled); total != nil && len(labels) > 0 {
		s.Accuracy = &quality.Accuracy{
			Total: *total, Micro: total.Value, Macro: recalls / float64(len(labels)), Weighted: weighted / max(support, 1),
		}
	}
	s.Classes = len(all)
	s.limit(all, pairs, classes)
}

// f1 is the harmonic mean of precision and recall.
func f1(precision, recall *quality.Share) *float64 {
	if precision == nil || recall == nil {
		return nil
	}
	mean := 0.0
	if sum := precision.Value + recall.Value; sum > 0 {
		mean = 2 * precision.Value * recall.Value / sum
	}
	return &mean
}

// limit keeps the labels with the most predictions, and makes one of all others.
func (s *summary) limit(labels []quality.Label, pairs []Pair, classes int) {
	kept := map[string]bool{}
	byFrequency := slices.Clone(labels)
	slices.SortStableFunc(byFrequency, func(a, b quality.Label) int {
		return cmp.Or(cmp.Compare(b.Support, a.Support), cmp.Compare(b.Predicted, a.Predicted))
	})
	for _, one := range byFrequency[:min(classes, len(byFrequency))] {
		kept[one.Label] = true
	}
	others := quality.Label{Label: quality.Others}
	for _, one := range labels {
		if kept[one.Label] {
			s.Labels = append(s.Labels, one)
			continue
		}
		others.Support += one.Support
		others.Predicted += one.Predicted
	}
	if len(kept) < len(labels) {
		s.Labels = append(s.Labels, others)
	}
	s.confuse(pairs, kept)
}

// confuse takes pairs of labels, of which some are kept.
func (s *summary) confuse(pairs []Pair, kept map[string]bool) {
	at := map[[2]string]int{}
	for _, p := range pairs {
		cell := quality.Confusion{True: p.True, Predicted: p.Predicted, Count: p.Count}
		if !kept[p.True] {
			cell.True = quality.Others
		}
		if !kept[p.Predicted] {
			cell.Predicted = quality.Others
		}
		i, known := at[[2]string{cell.True, cell.Predicted}]
		if !known {
			i = len(s.Confusion)
			at[[2]string{cell.True, cell.Predicted}] = i
			s.Confusion = append(s.Confusion, quality.Confusion{True: cell.True, Predicted: cell.Predicted})
		}
		s.Confusion[i].Count += cell.Count
	}
	slices.SortStableFunc(s.Confusion, func(a, b quality.Confusion) int { return cmp.Compare(b.Count, a.Count) })
}
