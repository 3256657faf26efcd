package sqlite

import (
	"context"
	"errors"

	"modernc.org/sqlite"
)

const (
	pageBytes = 4096 // of a new SQLite file
	// largeWrite is more pages than one write fills.
	largeWrite = 8192
)

// SQLite's primary result codes: the low byte of its codes.
const (
	primary          = 0xff
	codeReadOnly     = 8
	codeIO           = 10
	codeCorrupt      = 11
	codeFull         = 13
	codeNotADatabase = 26
)

func isFull(err error) bool {
	var failed *sqlite.Error
	return errors.As(err, &failed) && failed.Code()&primary == codeFull
}

// atLimit reports whether the file may be full, rather than the disk.
func (w *writer) atLimit() bool {
	var pages int64
	if err := w.conn.QueryRowContext(context.Background(), "PRAGMA page_count").Scan(&pages); err != nil {
		return false
	}
	return pages+largeWrite >= w.options.MaxBytes/pageBytes
}
