// Package sqlite keeps measurements, predictions and documents in one SQLite file: for
// local runs, and for clusters without a database.
package sqlite

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

	_ "modernc.org/sqlite" // the database driver "sqlite"

	"krt.dev/kn-krt/pkg/store"
)

// readers is how many requests read at a time: more than one version of a cluster may send (a
// quarter of the service's bytes), so that its long searches do not make others wait.
const readers = 16

// Options limit a store. Zero fields mean the defaults.
type Options struct {
	// MaxBytes limits the file. When it is reached, the oldest measurements,
	// predictions and results are removed; documents and dead letters are not, and
	// a store full of them takes no more. Default: 1 GiB.
	MaxBytes int64
	// Logger logs what the store removes and what fails. Default: slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.MaxBytes = cmp.Or(o.MaxBytes, 1<<30)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

// Store is an open file. It is safe for concurrent use.
type Store struct {
	path    string
	options Options
	// SQLite has one writer at a time: one connection has them all. Readers do not wait
	// for it (WAL).
	writer *writer
	reader *sql.DB
	keys   *keys
	turns  turns
	locked *os.File // closed after all others: it keeps other stores from the file

	decoded *store.Decoding
}

// Open opens the store in the file path, and makes it, readable by its owner
// only, if there is none. It migrates a file of an older kn-krt. It fails when the file cannot
// be read and written, is not an SQLite file, or was written by a newer kn-krt; with [ErrInUse]
// when another store has it open.
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
	locked, err := lock(path)
	if err != nil {
		return nil, err
	}
	s, err := openLocked(path, o)
	if err != nil {
		return nil, errors.Join(err, locked.Close())
	}
	s.locked = locked
	return s, nil
}

func openLocked(path string, o Options) (*Store, error) {
	// SQLite would make it readable by all; its other files get the same mode.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	// What is committed is on the disk: a power failure does not lose it either.
	db, err := connect(path, 1, "journal_mode(WAL)", "synchronous(FULL)", "journal_size_limit(67108864)",
		fmt.Sprintf("page_size(%d)", pageBytes))
	if err != nil {
		return nil, err
	}
	if err := migrate(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// Not for the migration, which may have to write to a file that has reached its limit.
	if _, err := db.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", o.MaxBytes/pageBytes)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	reader, err := connect(path, readers, "query_only(1)")
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	w, err := startWriter(db, o)
	if err != nil {
		return nil, errors.Join(err, reader.Close(), db.Close())
	}
	keys, err := startKeys(w, reader)
	if err != nil {
		return nil, errors.Join(err, reader.Close(), w.close())
	}
	return &Store{path: path, options: o, writer: w, reader: reader, keys: keys, decoded: store.NewDecoding()}, nil
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
func (s *Store) Close() error {
	s.keys.close()
	return errors.Join(s.reader.Close(), s.writer.close(), s.locked.Close())
}

// Ping reports whether the file can be read.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.reader.QueryRowContext(ctx, "SELECT 1 FROM sqlite_schema LIMIT 1").Scan(&one)
}
