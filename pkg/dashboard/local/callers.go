package local

import (
	"context"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/local"
)

// Reach implements [source.Callers]: the version's own gRPC port.
func (s *Source) Reach(_ context.Context, ref source.Ref) (address string, release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.state.is(ref):
		return "", nil, &source.NotFoundError{Ref: ref}
	case s.state.phase == phaseStarting:
		return "", nil, &source.RefusedError{Refusal: source.Unavailable, Text: notStarted}
	}
	return local.Reachable(s.state.serving.GRPC), func() {}, nil
}
