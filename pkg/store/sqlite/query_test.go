package sqlite

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/runner/store/storetest"
	"krt.dev/kn-krt/pkg/store"
)

func TestQueries(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	storetest.Queries(t, func(t *testing.T, documents []json.RawMessage, text json.RawMessage) ([]json.RawMessage, error) {
		var raw map[string]any
		require.NoError(t, store.Decode(text, &raw))
		q, err := query.Parse(raw)
		if err != nil {
			return nil, err
		}
		change(t, s, "DELETE FROM documents")
		for _, document := range documents {
			var object store.Document
			require.NoError(t, store.Decode(document, &object))
			wire.DocumentID(object)
			require.NoError(t, s.SaveDocument(t.Context(), from(), "c", object))
		}
		return all(t, s, "c", q), nil
	})
}
