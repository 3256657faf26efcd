// Package mongo_test holds the store in MongoDB to the table of all backends, in a server of
// MongoDB's protocol: FerretDB.
package mongo_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/mongo"
	conformance "krt.dev/kn-krt/test/store"
	"krt.dev/kn-krt/test/store/random"
	"krt.dev/kn-krt/test/store/server"
)

// open opens a store that knows its server. Until it does, a request waits for less than a second, in which a busy
// machine may have no response.
func open(t *testing.T, s *server.Server) *mongo.Store {
	t.Helper()
	b := openUnknown(t, s)
	require.Eventually(t, func() bool {
		_, err := b.FindDocuments(t.Context(), store.Collection{Runtime: "kre", Name: "none"}, query.Query{}, store.Page{Limit: 1, Bytes: 1})
		return !store.IsUnavailable(err)
	}, time.Minute, 100*time.Millisecond)
	return b
}

func openUnknown(t *testing.T, s *server.Server) *mongo.Store {
	t.Helper()
	b, err := mongo.Open(t.Context(), s.URL, mongo.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func TestTable(t *testing.T) {
	b := open(t, server.Mongo(t))
	conformance.Documents(t, b)
	conformance.Predictions(t, b)
	conformance.Letters(t, b)
}

// TestRandomQueries: what the database narrows and decides has the meaning of queries.
func TestRandomQueries(t *testing.T) {
	random.Compare(t, open(t, server.Mongo(t)), 1, 300)
}
