package local

import (
	"context"

	"krt.dev/kn-krt/pkg/dashboard/measured"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/data"
)

// store returns a client of what all versions with the state folder of the run have saved, and the
// function that ends it.
func (s *Source) store(ref source.Ref) (*data.Client, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.is(ref) {
		return nil, nil, &source.NotFoundError{Ref: ref}
	}
	if s.state.serving == nil {
		return nil, nil, &source.RefusedError{Refusal: source.Unavailable, Text: notStarted}
	}
	client := data.Local(s.state.serving.Store)
	return client, client.HTTP.CloseIdleConnections, nil
}

// Predictions implements [source.Predictors].
func (s *Source) Predictions(_ context.Context, ref source.Ref) (source.Predictions, func(), error) {
	client, end, err := s.store(ref)
	if err != nil {
		return nil, nil, err
	}
	return client, end, nil
}

// Chart implements [source.Meters]: from the store or, as long as it has nothing, from what was
// read since somebody looks.
func (s *Source) Chart(ctx context.Context, ref source.Ref, span source.Span) (*source.Chart, error) {
	client, end, err := s.store(ref)
	if err != nil {
		return nil, err
	}
	defer end()
	c, err := measured.Chart(ctx, client, ref.Name, span)
	if err != nil || len(c.Lines) > 0 {
		return c, err
	}
	return s.meter.Chart(ref, span), nil
}

// Measurements implements [source.Measurers].
func (s *Source) Measurements(_ context.Context, ref source.Ref) (source.Measurements, func(), error) {
	client, end, err := s.store(ref)
	if err != nil {
		return nil, nil, err
	}
	return measured.Saved{Client: client}, end, nil
}
