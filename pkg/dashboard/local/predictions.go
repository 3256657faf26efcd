package local

import (
	"context"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/data"
)

// Predictions implements [source.Predictors]: what all versions with the state folder of the run
// have saved.
func (s *Source) Predictions(_ context.Context, ref source.Ref) (source.Predictions, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.is(ref) {
		return nil, nil, &source.NotFoundError{Ref: ref}
	}
	if s.state.serving == nil {
		return nil, nil, &source.RefusedError{Refusal: source.Unavailable, Text: "The version has not started yet."}
	}
	client := data.Local(s.state.serving.Store)
	return client, client.HTTP.CloseIdleConnections, nil
}
