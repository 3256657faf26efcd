package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"krt.dev/kn-krt/pkg/store"
)

const (
	// removeGroup limits the rows that one transaction removes to make room: its log has the
	// pages that it changes.
	removeGroup = 10_000
	// samples is how many of a runtime's oldest rows, and of its newest ones, are read to estimate
	// what all take: to read all would take long, while saves wait.
	samples = 100
)

// series is a table from which the oldest rows may be removed.
type series struct {
	table, time string
	only        string // the rows that may go
	bytes       string // of a row, but for its indexes
	removed     *atomic.Uint64
}

func (w *writer) series() []series {
	return []series{
		{"measurements", "time", "TRUE", "length(name) + length(fields) + length(tags)", &w.removed.measurements},
		{"predictions", "date", "TRUE", "length(predicted_value) + length(true_value) + length(extra)", &w.removed.predictions},
		{"letters", "time", "kind = 'result'", "bytes", &w.removed.results},
	}
}

// rowBytes is about what a row takes besides, with its indexes.
const rowBytes = 150

// makeRoom removes the oldest measurements, predictions and results of the runtime that has the most
// of them, a tenth: one that saves much does not cost others what they have. Documents and dead
// letters are kept, and with nothing else left to remove it fails.
func (w *writer) makeRoom() error {
	largest, err := w.largest()
	var removed int64
	for _, s := range w.series() {
		if err != nil || largest == "" {
			break
		}
		var n int64
		n, err = w.removeOldest(s, largest)
		removed += n
		s.removed.Add(uint64(n))
	}
	if err != nil {
		return fmt.Errorf("cannot free space: %w", err)
	}
	if removed == 0 {
		return store.Full("the store is full: its documents and dead letters have reached the limit of %d bytes; "+
			"remove the file, or keep this version's data in another folder", w.options.MaxBytes)
	}
	w.options.Logger.Warn("the store has reached its limit: the oldest measurements, predictions and results were removed",
		"namespace", largest, "removed", removed, "limit", w.options.MaxBytes)
	return nil
}

// largest returns the runtime whose series take the most; empty if there are none.
func (w *writer) largest() (string, error) {
	sizes := map[string]float64{}
	for _, s := range w.series() {
		if err := w.addSizes(s, sizes); err != nil {
			return "", err
		}
	}
	most := ""
	for _, runtime := range slices.Sorted(maps.Keys(sizes)) {
		if sizes[runtime] > sizes[most] {
			most = runtime
		}
	}
	return most, nil
}

// addSizes adds about how many bytes each runtime has in a table. The rows are counted in an index:
// their ids say nothing, because most of them are of rows that are gone.
func (w *writer) addSizes(s series, sizes map[string]float64) (err error) {
	statement := strings.NewReplacer("TABLE", s.table, "ONLY", s.only, "TIME", s.time, "BYTES", s.bytes).Replace(`
SELECT runtime, n * (2 * ?1 +
	(SELECT avg(bytes) FROM (SELECT BYTES AS bytes FROM TABLE WHERE runtime = c.runtime AND ONLY ORDER BY TIME LIMIT ?2)) +
	(SELECT avg(bytes) FROM (SELECT BYTES AS bytes FROM TABLE WHERE runtime = c.runtime AND ONLY ORDER BY TIME DESC LIMIT ?2))) / 2
FROM (SELECT runtime, count(*) AS n FROM TABLE WHERE ONLY GROUP BY runtime) c`)
	rows, err := w.conn.QueryContext(context.Background(), statement, rowBytes, samples)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var runtime string
		var size float64
		if err := rows.Scan(&runtime, &size); err != nil {
			return err
		}
		sizes[runtime] += size
	}
	return rows.Err()
}

// removeOldest removes a tenth of what a runtime has in a table, in groups, and returns how many
// rows that was.
func (w *writer) removeOldest(s series, runtime string) (removed int64, err error) {
	var tenth int64
	count := "SELECT (count(*) + 9) / 10 FROM " + s.table + " WHERE runtime = ? AND " + s.only
	if err := w.conn.QueryRowContext(context.Background(), count, runtime).Scan(&tenth); err != nil {
		return 0, err
	}
	remove := fmt.Sprintf("DELETE FROM %[1]s WHERE id IN (SELECT id FROM %[1]s WHERE runtime = ? AND %[3]s ORDER BY %[2]s LIMIT ?)",
		s.table, s.time, s.only)
	for removed < tenth {
		n, err := w.changed(remove, runtime, min(tenth-removed, removeGroup))
		if err != nil || n == 0 {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}
