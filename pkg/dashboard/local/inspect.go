package local

import (
	"context"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

// Inspect implements [source.Inspectors].
func (s *Source) Inspect(ctx context.Context, ref source.Ref, f func(context.Context, *inspection.Client) error) error {
	at, err := s.inspector(ref)
	if err != nil {
		return err
	}
	return source.OfPort(s.ofInspector(f(ctx, at)), "", "")
}
