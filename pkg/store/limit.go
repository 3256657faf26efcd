package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"

	"modernc.org/sqlite"
)

const (
	pageBytes = 4096 // of a new SQLite file
	codeFull  = 13   // SQLITE_FULL
)

// write runs a statement that makes the store grow. When the store has reached
// its limit, the oldest measurements and predictions are removed; documents are
// kept, and with nothing else left to remove the statement fails.
func (s *Store) write(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	for {
		result, err := s.writer.ExecContext(ctx, statement, args...)
		var failed *sqlite.Error
		if err == nil || !errors.As(err, &failed) || failed.Code() != codeFull {
			return result, err
		}
		removed, err := s.removeOldest(ctx)
		if err != nil {
			return nil, err
		}
		if removed == 0 {
			return nil, &problem{http.StatusInsufficientStorage, fmt.Sprintf(
				"the store is full: its documents have reached the limit of %d bytes; "+
					"remove the file, or keep this version's data in another folder", s.options.MaxBytes)}
		}
		s.options.Logger.Warn("the store has reached its limit: the oldest measurements and predictions were removed",
			"removed", removed, "limit", s.options.MaxBytes)
	}
}

// removeOldest removes a tenth of the measurements and of the predictions.
func (s *Store) removeOldest(ctx context.Context) (removed int64, err error) {
	for _, table := range []string{"measurements", "predictions"} {
		result, err := s.writer.ExecContext(ctx, fmt.Sprintf(
			"DELETE FROM %[1]s WHERE id IN (SELECT id FROM %[1]s ORDER BY id LIMIT (SELECT (count(*) + 9) / 10 FROM %[1]s))", table))
		if err != nil {
			return removed, fmt.Errorf("cannot free space: %w", err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}
