package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store"
)

// bareFile is a file for the bare client of SQLite, beside that of the store.
type bareFile struct {
	*sql.DB

	store string
}

func newBareFile(b *testing.B, store string) *bareFile {
	b.Helper()
	// As the store has its file: one connection that writes, and every commit on the disk.
	f := &bareFile{file(b, filepath.Join(filepath.Dir(store), "bare.db")), store}
	f.exec(b, "CREATE TABLE documents (id INTEGER PRIMARY KEY, doc TEXT NOT NULL)")
	return f
}

func file(b *testing.B, path string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)")
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	return db
}

func (f *bareFile) exec(b *testing.B, statement string, args ...any) {
	b.Helper()
	_, err := f.ExecContext(context.Background(), statement, args...)
	require.NoError(b, err)
}

func (f *bareFile) insert(ctx context.Context, document store.Document) error {
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	_, err = f.ExecContext(ctx, "INSERT INTO documents (doc) VALUES (?)", text)
	return err
}

// series is a table of the numbers below n.
func series(n int) string {
	return fmt.Sprintf("WITH RECURSIVE series (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n < %d)", n-1)
}

func (f *bareFile) fillDocuments(b *testing.B, n int) {
	b.Helper()
	document := fmt.Sprintf(`json_object('_id', printf('%%024x', n), 'host', 'host-' || (n %% %d), 'beds', n %% 7, 'price', n / 8.0,
		'text', printf('%%.100c', 'x'))`, hosts(n))
	f.exec(b, series(n)+" INSERT INTO documents (doc) SELECT "+document+" FROM series")
	f.exec(b, "CREATE INDEX documents_host ON documents (json_extract(doc, '$.host'))")
	(&bareFile{DB: file(b, f.store)}).exec(b, series(n)+`
INSERT INTO documents (runtime, coll, doc, saved, version, node, workflow)
SELECT '`+store.LocalRuntime+"', '"+coll+"', "+document+", '2026-01-01T00:00:00.000000000Z', '', '', '' FROM series")
}

func (f *bareFile) find(b *testing.B, host string) (found []map[string]any) {
	b.Helper()
	rows, err := f.QueryContext(context.Background(),
		"SELECT id, doc FROM documents WHERE json_extract(doc, '$.host') = ? ORDER BY id", host)
	require.NoError(b, err)
	defer func() { require.NoError(b, rows.Close()) }()
	for rows.Next() {
		var id int64
		var text []byte
		var one map[string]any
		require.NoError(b, rows.Scan(&id, &text))
		require.NoError(b, json.Unmarshal(text, &one))
		found = append(found, one)
	}
	require.NoError(b, rows.Err())
	return found
}

// fillPredictions fills the store's table without its triggers, and the table that they keep
// afterwards, because that takes minutes instead of hours.
func (f *bareFile) fillPredictions(b *testing.B) {
	b.Helper()
	kept := &bareFile{DB: file(b, f.store)}
	var trigger string
	require.NoError(b, kept.QueryRowContext(context.Background(),
		"SELECT sql FROM sqlite_schema WHERE name = 'predictions_counted'").Scan(&trigger))
	kept.exec(b, "DROP TRIGGER predictions_counted")
	kept.exec(b, series(*predictions)+`
INSERT INTO predictions (runtime, date, predicted_value, true_value, extra, error, version, node, workflow)
SELECT '`+store.LocalRuntime+`', strftime('%Y-%m-%dT%H:%M:%S.000000000Z', 1767225600 + n, 'unixepoch'),
	'label-' || (n % 7), 'label-' || (n % 11 % 7), 'null', '', 'v', 'model', 'flow' FROM series`)
	kept.exec(b, `INSERT INTO prediction_counts
SELECT runtime, hour, version, error, true_value, predicted_value, count(*), sum(labelled), sum(correct), sum(numbers),
	total(absolute), total(squared)
FROM prediction_parts GROUP BY runtime, hour, version, error, true_value, predicted_value`)
	kept.exec(b, trigger)
	f.exec(b, "CREATE TABLE predictions (predicted TEXT, actual TEXT)")
	f.exec(b, series(*predictions)+" INSERT INTO predictions SELECT 'label-' || (n % 7), 'label-' || (n % 11 % 7) FROM series")
}

const countPairs = "SELECT count(*) FROM (SELECT predicted, actual, count(*) FROM predictions GROUP BY predicted, actual) p"

func (f *bareFile) pairs(b *testing.B) (n int) {
	b.Helper()
	require.NoError(b, f.QueryRowContext(context.Background(), countPairs).Scan(&n))
	return n
}
