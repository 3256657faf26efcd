package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store"
)

// plan is how SQLite reads what may meet a query.
func plan(t *testing.T, s *Store, text string) string {
	t.Helper()
	statement, args, err := s.candidates(t.Context(), search{in: local("c"), q: parse(t, text)})
	require.NoError(t, err)
	rows, err := s.reader.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, args...)
	require.NoError(t, err)
	var lines []string
	for rows.Next() {
		var id, parent, unused int
		var line string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &line))
		lines = append(lines, line)
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	return strings.Join(lines, "\n")
}

// TestRangesUseAnIndex, both bounds of it, and those of an array only one.
func TestRangesUseAnIndex(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	for i := range 100 {
		save(t, s, fmt.Sprintf(`{"date":"2026-01-01T00:%02d:00Z","n":%d}`, i%60, i))
	}
	const dates = `{"date":{"$gte":"2026-01-01T00:10:00Z","$lt":"2026-01-01T00:20:00Z"}}`
	require.NotContains(t, plan(t, s, dates), "document_values")
	for _, field := range []string{"date", "n"} {
		s.keys.make(wanted{local("c"), field})
	}
	for _, text := range []string{dates, `{"n":{"$gt":5,"$lte":7}}`} {
		require.Contains(t, plan(t, s, text), "SEARCH document_values USING PRIMARY KEY (key=? AND value>? AND value<?)", text)
	}
	require.Contains(t, plan(t, s, `{"n":{"$gt":5},"date":"x"}`), "(key=? AND value=? AND doc>?)", "a value narrows more than a range")
	require.Len(t, all(t, s, "c", parse(t, dates)), 20)
	save(t, s, `{"date":["2020","2030"]}`)
	require.Len(t, all(t, s, "c", parse(t, dates)), 21)
}

// TestIndexesAreShared: no namespace takes all, and those go that were not used for longest.
func TestIndexesAreShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openTest(t, path, Options{})
	one := func(runtime string, n int) wanted {
		return wanted{store.Collection{Runtime: runtime, Name: fmt.Sprint("c", n/maxKeys)}, fmt.Sprint("k", n)}
	}
	there := func(w wanted) bool { _, there := s.keys.of(w); return there }
	for n := range maxAllKeys {
		s.keys.make(one("a", n))
	}
	old := func(w wanted, age time.Duration) {
		key, _ := s.keys.of(w)
		key.used.Store(time.Now().Add(-age).Unix())
	}
	s.keys.make(wanted{one("a", 0).in, "new"})
	s.keys.make(one("a", maxAllKeys))
	require.False(t, there(wanted{one("a", 0).in, "new"}) || there(one("a", maxAllKeys)), "all are in use")
	old(one("a", 7), time.Minute)
	s.keys.make(one("b", 0))
	require.True(t, there(one("b", 0)))
	require.False(t, there(one("a", 7)), "the namespace that has the most makes room")
	old(one("a", 100), 2*time.Hour)
	s.keys.make(one("a", maxAllKeys))
	require.True(t, there(one("a", maxAllKeys)) && !there(one("a", 100)))
	require.NoError(t, s.Close())
	s = openTest(t, path, Options{})
	require.True(t, there(one("b", 0)) && there(one("a", maxAllKeys)))
	require.False(t, there(one("a", 7)) || there(one("a", 100)))
}

// TestDroppedIndexIsRemoved, also if the store ended in the meantime.
func TestDroppedIndexIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openTest(t, path, Options{})
	s.keys.make(wanted{local("c"), "a"})
	for i := range 5 {
		save(t, s, fmt.Sprintf(`{"a":%d}`, i))
	}
	require.NoError(t, s.writer.write(t.Context(), func(w *writer) error {
		_, err := w.exec("UPDATE document_keys SET state = ?", dropped)
		return err
	}))
	require.NoError(t, s.Close())
	s = openTest(t, path, Options{})
	require.Eventually(t, func() bool {
		var n int
		require.NoError(t, s.reader.QueryRowContext(t.Context(),
			"SELECT (SELECT count(*) FROM document_values) + (SELECT count(*) FROM document_keys)").Scan(&n))
		return n == 0
	}, time.Minute, time.Millisecond)
	s.keys.make(wanted{local("c"), "a"})
	require.Len(t, all(t, s, "c", parse(t, `{"a":3}`)), 1)
}
