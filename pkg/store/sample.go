package store

import (
	"context"
	"slices"
	"strconv"
	"time"

	"krt.dev/kn-krt/pkg/data/quality"
)

const (
	defaultSamples, maxSamples = 500, 2000
	// slices of a sample's time, from each of which it has some.
	sampleSlices = 20
	maxVersions  = 200
)

// versions answers GET /v1/predictions/versions?from&to&mirror.
func (s *Server) versions(r request) (any, error) {
	if s.backends.Predictions == nil {
		return nil, notKept("predictions")
	}
	of, err := r.predictions()
	if err != nil {
		return nil, err
	}
	found, err := s.backends.Predictions.CountVersions(r.Context(), of, maxVersions)
	slices.SortStableFunc(found, func(a, b quality.Version) int { return b.Last.Compare(a.Last) })
	return map[string]any{"versions": append([]quality.Version{}, found...)}, err
}

// sampled answers GET /v1/predictions/samples?from&to&version&mirror&limit.
func (s *Server) sampled(r request) (any, error) {
	if s.backends.Predictions == nil {
		return nil, notKept("predictions")
	}
	of, err := r.predictions()
	if err != nil {
		return nil, err
	}
	if of.From.IsZero() || of.To.IsZero() {
		return nil, Refuse("from and to: a sample needs both")
	}
	limit, err := r.number("limit", defaultSamples, maxSamples)
	if err != nil {
		return nil, err
	}
	found, err := sample(r.Context(), s.backends.Predictions, of, limit)
	return map[string]any{"samples": found}, err
}

// number reads a parameter that is a number from 1 to most.
func (r request) number(name string, missing, most int) (int, error) {
	text := r.values.Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, Refuse("%s: %q is not a number from 1 to %d", name, text, most)
	}
	return n, nil
}

// sample returns the labelled predictions of numbers, in the order of their dates: all of them if
// they are at most limit. Of more it has some from each part of the time, as far as there are any,
// by as many short reads of the index on dates; to draw from all of them would read millions.
func sample(ctx context.Context, b Predictions, of Selection, limit int) ([]quality.Sample, error) {
	latest, err := b.LatestLabelled(ctx, of, limit)
	if err != nil || len(latest) < limit {
		return samples(latest), err
	}
	before := of
	before.To = latest[len(latest)-1].Date
	var earlier []Labelled
	length := before.To.Sub(before.From) / sampleSlices
	for left := sampleSlices; left > 0 && length > 0; left-- {
		part := before
		part.From = before.To.Add(-length)
		before.To = part.From
		n := (limit - limit/sampleSlices - len(earlier)) / left // what one part does not have, others may
		if n == 0 {
			continue
		}
		found, err := b.LatestLabelled(ctx, part, n)
		if err != nil {
			return nil, err
		}
		earlier = append(earlier, found...)
	}
	return samples(append(thinned(latest, limit-len(earlier)), earlier...)), nil
}

// thinned are n of a list, evenly spread.
func thinned(list []Labelled, n int) []Labelled {
	kept := make([]Labelled, n)
	for i := range kept {
		kept[i] = list[i*len(list)/n]
	}
	return kept
}

// samples are those of a list that are numbers, the other way round.
func samples(list []Labelled) []quality.Sample {
	found := []quality.Sample{}
	for _, one := range slices.Backward(list) {
		truth, isNumber := NumberOf(one.True)
		predicted, also := NumberOf(one.Predicted)
		if isNumber && also {
			found = append(found, quality.Sample{Date: one.Date.Round(time.Microsecond), True: truth, Predicted: predicted})
		}
	}
	return found
}
