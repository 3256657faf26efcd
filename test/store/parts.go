package store

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// inParts deletes with no time for more than a part at a time, and returns how many parts and
// entries that were.
func inParts(t *testing.T, do func(store.Part) (store.Deleted, error)) (parts int, deleted int64) {
	t.Helper()
	part := store.Part{Until: time.Now().Add(-time.Second)}
	for {
		done, err := do(part)
		require.NoError(t, err)
		deleted, parts = deleted+done.Count, parts+1
		if done.Next == "" {
			return parts, deleted
		}
		require.Less(t, parts, 1000, "the deletion does not end")
		part.Cursor = done.Next
	}
}

// deletionInParts: a deletion that takes longer than a request continues where it was, and
// deletes neither less nor more.
func deletionInParts(t *testing.T, b store.Documents) {
	const n = 600
	var all sync.WaitGroup
	for writer := range 8 {
		all.Go(func() {
			for i := writer; i < n; i += 8 {
				document := store.Document{wire.KeyID: wire.NewID(), "i": json.Number(fmt.Sprint(i)), "of": []any{json.Number(fmt.Sprint(i % 3)), "x"}}
				if err := b.SaveDocument(t.Context(), from(ours), "parts", document); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for query, want := range map[string]int64{`{"of":0}`: n / 3, `{"of":{"$elemMatch":{"$eq":1}}}`: n / 3, `{"i":-1}`: 0} {
		_, deleted := inParts(t, func(p store.Part) (store.Deleted, error) {
			return b.DeleteDocuments(t.Context(), within("parts"), parse(t, query), p)
		})
		require.Equal(t, want, deleted, query)
	}
	require.Len(t, find(t, b, within("parts"), nil, n), n/3)
	parts, deleted := inParts(t, func(p store.Part) (store.Deleted, error) {
		return b.DeleteDocuments(t.Context(), within("parts"), nil, p)
	})
	require.EqualValues(t, n/3, deleted)
	require.Greater(t, parts, 1)
	require.Empty(t, find(t, b, within("parts"), nil, n))
	_, err := b.DeleteDocuments(t.Context(), within("parts"), nil, store.Part{Cursor: "x"})
	require.Equal(t, store.BadCursor(), err)
}

// predictionsInParts is deletionInParts of predictions.
func predictionsInParts(t *testing.T, b store.Predictions) {
	const runtime, n = "parts", 2500
	some := make([]store.Prediction, n)
	for i := range some {
		some[i] = store.Prediction{Runtime: runtime, Version: "v"}
		some[i].Date = at(i)
	}
	require.NoError(t, b.SavePredictions(t.Context(), some))
	parts, deleted := inParts(t, func(p store.Part) (store.Deleted, error) {
		return b.DeletePredictions(t.Context(), store.Selection{Runtime: runtime, From: at(100)}, p)
	})
	require.EqualValues(t, n-100, deleted)
	require.Equal(t, 3, parts)
	_, deleted = inParts(t, func(p store.Part) (store.Deleted, error) {
		return b.DeletePredictions(t.Context(), store.Selection{Runtime: runtime}, p)
	})
	require.EqualValues(t, 100, deleted)
}
