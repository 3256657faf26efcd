package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"

	"krt.dev/kn-krt/pkg/store"
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

// removeGroup limits the rows that one transaction removes to make room: its log has the pages
// that it changes.
const removeGroup = 10_000

// removeOldest removes a tenth of a table, in groups, and returns how many rows that was.
func (w *writer) removeOldest(table string) (removed int64, err error) {
	var tenth int64
	count := "SELECT (count(*) + 9) / 10 FROM " + table
	if err := w.conn.QueryRowContext(context.Background(), count).Scan(&tenth); err != nil {
		return 0, err
	}
	remove := fmt.Sprintf("DELETE FROM %[1]s WHERE id IN (SELECT id FROM %[1]s ORDER BY id LIMIT ?)", table)
	for removed < tenth {
		n, err := w.changed(remove, min(tenth-removed, removeGroup))
		if err != nil || n == 0 {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

// makeRoom removes the oldest measurements and predictions; documents are kept, and with
// nothing else left to remove it fails.
func (w *writer) makeRoom() error {
	var removed int64
	for _, table := range []string{"measurements", "predictions"} {
		n, err := w.removeOldest(table)
		if err != nil {
			return fmt.Errorf("cannot free space: %w", err)
		}
		removed += n
	}
	if removed == 0 {
		return store.Full("the store is full: its documents have reached the limit of %d bytes; "+
			"remove the file, or keep this version's data in another folder", w.options.MaxBytes)
	}
	w.options.Logger.Warn("the store has reached its limit: the oldest measurements and predictions were removed",
		"removed", removed, "limit", w.options.MaxBytes)
	return nil
}
