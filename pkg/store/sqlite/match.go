package sqlite

import (
	"context"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// maxDecoded limits what the documents of all searches may take that are decoded at a time, in
// bytes; those of fewer bytes than smallDocument are not counted.
const maxDecoded, smallDocument = 64 << 20, 64 << 10

// matching returns a function that reports whether a document meets q.
func (s *Store) matching(ctx context.Context, q query.Query) func(document []byte) (bool, error) {
	names, some := named(q)
	return func(document []byte) (bool, error) {
		if len(q) == 0 {
			return true, nil
		}
		if len(document) >= smallDocument {
			size := min(store.DecodedSize(document), maxDecoded)
			if err := s.decoded.Acquire(ctx, size); err != nil {
				return false, err
			}
			defer s.decoded.Release(size)
		}
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
