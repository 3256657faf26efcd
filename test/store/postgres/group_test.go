package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/test/store/server"
)

// TestOneOfMany: of documents that are saved at the same time, one that is refused does not
// keep the others from being saved, and each gets its own error.
func TestOneOfMany(t *testing.T) {
	s := server.Postgres(t)
	b := open(t, s)
	in := store.Collection{Runtime: "r", Name: "c"}
	require.NoError(t, b.SaveDocument(t.Context(), from(), in.Name, store.Document{"_id": "there"}))
	const rounds, each = 20, 32
	for round := range rounds {
		// While the table is locked, documents wait for each other.
		locked, err := pgx.Connect(t.Context(), s.URL)
		require.NoError(t, err)
		_, err = locked.Exec(t.Context(), "BEGIN; LOCK TABLE krt_documents")
		require.NoError(t, err)
		var begun, all sync.WaitGroup
		begun.Add(each)
		errs := make([]error, each)
		for i := range errs {
			document := store.Document{"_id": fmt.Sprintf("%d-%d", round, i)}
			switch i {
			case 3:
				document["_id"] = "there"
			case 7:
				document["a"] = "\x00"
			case 11, 13:
				document["_id"] = fmt.Sprintf("%d-twice", round)
			case 17:
				document["a"] = strings.Repeat("large ", 100_000)
			}
			all.Go(func() {
				begun.Done()
				errs[i] = b.SaveDocument(t.Context(), from(), in.Name, document)
			})
		}
		begun.Wait()
		require.NoError(t, locked.Close(t.Context()))
		all.Wait()
		for i, err := range errs {
			switch i {
			case 3:
				require.ErrorIs(t, err, store.ErrExists)
			case 7:
				require.ErrorContains(t, err, "cannot keep a zero byte in a text")
			case 11, 13:
			default:
				require.NoError(t, err)
			}
		}
		require.NotEqual(t, errs[11] == nil, errs[13] == nil, "one of two with the same id is saved: %v, %v", errs[11], errs[13])
	}
	found, err := b.FindDocuments(t.Context(), in, nil, store.Page{Limit: 10_000, Bytes: 1 << 26})
	require.NoError(t, err)
	require.Len(t, found.Documents, 1+rounds*(each-3))
}
