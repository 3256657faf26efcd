package sourcetest

import (
	"context"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Reach implements [source.Callers]: the field Address.
func (m *Memory) Reach(_ context.Context, ref source.Ref) (address string, release func(), err error) {
	if m.Address == "" {
		return "", nil, &source.RefusedError{Refusal: source.Unavailable, Text: "version " + ref.Name + " is not available: it is stopped"}
	}
	return m.Address, func() {}, nil
}
