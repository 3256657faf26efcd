package local

import (
	"context"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

// Division implements [source.Dividers]: a run is in no runtime.
func (s *Source) Division(context.Context, source.Ref) (*source.Division, error) {
	return nil, &source.RefusedError{Refusal: source.Unavailable, Text: refusals()[source.Publish]}
}

// Differences implements [source.Dividers]: nothing is copied.
func (s *Source) Differences(ctx context.Context, ref source.Ref) ([]inspection.Difference, []string, error) {
	_, err := s.Division(ctx, ref)
	return nil, nil, err
}
