// Package store keeps what nodes save: measurements, predictions and documents,
// in one SQLite file, served over HTTP on a socket of this machine. Nodes reach
// it by the client in pkg/runner/store, where the wire is defined.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the database driver "sqlite"
)

// Options limit a store. Zero fields mean the defaults.
type Options struct {
	// MaxBytes limits the file. When it is reached, the oldest measurements and
	// predictions are removed; documents are not, and a store full of them takes
	// no more. Default: 1 GiB.
	MaxBytes int64
	// MaxBodyBytes bounds a request's body. Default: 16 MiB, the most that a document
	// of the original's database (MongoDB) could have.
	MaxBodyBytes int64
	// MaxResults and MaxResultBytes bound a response; a query that finds more is
	// an error that says so. Default: 10,000 and 16 MiB.
	MaxResults     int
	MaxResultBytes int
	// QueryTime bounds how long a request, a query above all, may take. Default: 10 s.
	QueryTime time.Duration
	// Logger logs internal errors. Default: slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.MaxBytes = cmp.Or(o.MaxBytes, 1<<30)
	o.MaxBodyBytes = cmp.Or(o.MaxBodyBytes, 16<<20)
	o.MaxResults = cmp.Or(o.MaxResults, 10_000)
	o.MaxResultBytes = cmp.Or(o.MaxResultBytes, 16<<20)
	o.QueryTime = cmp.Or(o.QueryTime, 10*time.Second)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

// Store is an open store. It is safe for concurrent use.
type Store struct {
	options Options
	// SQLite has one writer at a time: one connection queues writes here, where
	// busy retries would let them race. Readers do not wait for it (WAL).
	writer, reader *sql.DB
}

// Open opens the store in the file path, and makes it, readable by its owner
// only, if there is none. It fails when the file cannot be read and written, is
// not an SQLite file, or was written by a newer kn-krt.
func Open(path string, o Options) (*Store, error) {
	s, err := open(path, o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("cannot open the store %q: %w", path, err)
	}
	return s, nil
}

func open(path string, o Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// SQLite would make it readable by all; its other files get the same mode.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	s := &Store{options: o}
	s.writer, err = connect(path, 1, "journal_mode(WAL)", "synchronous(NORMAL)", "journal_size_limit(67108864)",
		fmt.Sprintf("page_size(%d)", pageBytes), fmt.Sprintf("max_page_count(%d)", o.MaxBytes/pageBytes))
	if err != nil {
		return nil, err
	}
	if err = migrate(s.writer); err == nil {
		s.reader, err = connect(path, 4, "query_only(1)")
	}
	if err != nil {
		return nil, errors.Join(err, s.writer.Close())
	}
	return s, nil
}

// connect opens a pool of at most n connections, each with the given pragmas.
func connect(path string, n int, pragmas ...string) (*sql.DB, error) {
	query := url.Values{"_pragma": append(pragmas, "busy_timeout(5000)"), "_txlock": {"immediate"}}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// Close closes the store. Requests in flight fail.
func (s *Store) Close() error { return errors.Join(s.reader.Close(), s.writer.Close()) }

// migrations bring a file from the version of their place to the next; the
// version is SQLite's user_version. An entry is never changed.
func migrations() []string {
	return []string{`
CREATE TABLE documents (
	id INTEGER PRIMARY KEY, coll TEXT NOT NULL, doc TEXT NOT NULL, saved TEXT NOT NULL,
	version TEXT NOT NULL, node TEXT NOT NULL, workflow TEXT NOT NULL
) STRICT;
CREATE INDEX documents_coll ON documents (coll, id);
CREATE TABLE measurements (
	id INTEGER PRIMARY KEY, name TEXT NOT NULL, time TEXT NOT NULL, fields TEXT NOT NULL, tags TEXT NOT NULL
) STRICT;
CREATE INDEX measurements_name ON measurements (name, time);
CREATE TABLE predictions (
	id INTEGER PRIMARY KEY, date TEXT NOT NULL, predicted_value TEXT NOT NULL, true_value TEXT NOT NULL,
	extra TEXT NOT NULL, error TEXT NOT NULL,
	version TEXT NOT NULL, node TEXT NOT NULL, workflow TEXT NOT NULL
) STRICT;
CREATE INDEX predictions_date ON predictions (date);
`, `
UPDATE documents SET doc = json_set(doc, '$._id', printf('%024x', id)) WHERE json_type(doc, '$._id') IS NULL;
`}
}

func migrate(db *sql.DB) error {
	ctx := context.Background()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no effect once committed
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	steps := migrations()
	if version > len(steps) {
		return fmt.Errorf("it was made by a newer kn-krt (schema %d, this one supports %d): use that version, or another file", version,
			len(steps))
	}
	for ; version < len(steps); version++ {
		if _, err := tx.ExecContext(ctx, steps[version]); err != nil {
			return fmt.Errorf("schema %d: %w", version+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}
