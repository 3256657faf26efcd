// Package postgres_test holds the store in PostgreSQL to the table of all backends, in a
// real server.
package postgres_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store/postgres"
	conformance "krt.dev/kn-krt/test/store"
	"krt.dev/kn-krt/test/store/random"
	"krt.dev/kn-krt/test/store/server"
)

func open(t *testing.T, s *server.Server) *postgres.Store {
	t.Helper()
	b, err := postgres.Open(t.Context(), s.URL, postgres.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func TestTable(t *testing.T) {
	b := open(t, server.Postgres(t))
	conformance.Documents(t, b)
	conformance.Predictions(t, b)
	conformance.Measurements(t, b)
	conformance.Letters(t, b)
}

// TestRandomQueries: the conditions that the database decides have the meaning of queries.
func TestRandomQueries(t *testing.T) {
	random.Compare(t, open(t, server.Postgres(t)), 1, 3000)
}
