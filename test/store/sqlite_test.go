package store_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store/sqlite"
	conformance "krt.dev/kn-krt/test/store"
)

func open(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestSQLite(t *testing.T) {
	s := open(t)
	conformance.Documents(t, s)
	conformance.Predictions(t, s)
	conformance.Measurements(t, s)
	conformance.Letters(t, s)
}
