package sqlite

import (
	"context"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// matching returns a function that reports whether a document meets q.
func (s *Store) matching(ctx context.Context, q query.Query) func(document []byte) (bool, error) {
	names, some := named(q)
	return func(document []byte) (bool, error) {
		if len(q) == 0 {
			return true, nil
		}
		release, err := s.decoded.Hold(ctx, document)
		if err != nil {
			return false, err
		}
		defer release()
		if some {
			if object, ok := fields(document, names); ok {
				return store.Meets(ctx, q, object)
			}
		}
		return matches(ctx, q, document)
	}
}

func matches(ctx context.Context, q query.Query, document []byte) (bool, error) {
	var object map[string]any
	if err := store.Decode(document, &object); err != nil {
		return false, err
	}
	return store.Meets(ctx, q, object)
}
