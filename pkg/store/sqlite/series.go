package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// SaveMeasurements keeps measurements.
func (s *Store) SaveMeasurements(ctx context.Context, runtime string, measurements []wire.Measurement) error {
	rows := make([][]any, len(measurements))
	for i, m := range measurements {
		fields, err := store.Encode(m.Fields)
		if err != nil {
			return err
		}
		tags, err := store.Encode(m.Tags)
		if err != nil {
			return err
		}
		rows[i] = []any{runtime, m.Name, m.Time.UTC().Format(timeFormat), string(fields), string(tags)}
	}
	return s.insert(ctx, "INSERT INTO measurements (runtime, name, time, fields, tags) VALUES (?, ?, ?, ?, ?)", rows)
}

// SavePredictions keeps predictions.
func (s *Store) SavePredictions(ctx context.Context, predictions []store.Prediction) error {
	rows := make([][]any, len(predictions))
	for i, p := range predictions {
		extra, err := store.Encode(p.Extra)
		if err != nil {
			return err
		}
		rows[i] = []any{
			p.Runtime, p.Date.UTC().Format(timeFormat), p.PredictedValue, p.TrueValue, string(extra), p.Error,
			p.Version, p.Node, p.Workflow, p.Mirror,
		}
	}
	return s.insert(ctx, `
INSERT INTO predictions (runtime, date, predicted_value, true_value, extra, error, version, node, workflow, mirror)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, rows)
}

func (s *Store) insert(ctx context.Context, statement string, rows [][]any) error {
	return s.writer.write(ctx, func(w *writer) error {
		for _, row := range rows {
			if _, err := w.exec(statement, row...); err != nil {
				return err
			}
		}
		return nil
	})
}

// selection is an SQL condition on the rows of measurements or predictions. Column is
// that of their time.
func selection(of store.Selection, column string) (where string, args []any) {
	where = "TRUE"
	add := func(condition string, values ...any) {
		where += " AND " + condition
		args = append(args, values...)
	}
	if of.Runtime != "" {
		add("runtime = ?", of.Runtime)
	}
	if of.Name != "" {
		add("name = ?", of.Name)
	}
	if !of.From.IsZero() {
		add(column+" >= ?", of.From.UTC().Format(timeFormat))
	}
	if !of.To.IsZero() {
		add(column+" < ?", of.To.UTC().Format(timeFormat))
	}
	for name, value := range of.Tags {
		add("(SELECT value FROM json_each(tags) WHERE key = ?) = ?", name, value)
	}
	if of.Version != "" && column == "date" {
		add("version = ?", of.Version)
	} else if of.Version != "" {
		add("json_extract(tags, '$.version') = ?", of.Version)
	}
	if marked, by := mirrored(of.Mirrored); by && column == "date" {
		add("mirror = ?", marked)
	}
	return where, args
}

// mirrored returns the mark of the predictions that are selected, and whether it matters.
func mirrored(m store.Mirrored) (marked, by bool) {
	return m == store.MirroredOnly, m != store.MirroredToo
}

// listing is a statement for rows that are ordered by a time, in the given column, and an
// id, which are the first two columns.
type listing struct {
	statement, column string
}

// list reads a page of rows. Read returns a row without its first two columns, and about how
// many bytes it has.
func list[T any](l listing, of store.Selection, page store.Page, query func(statement string, args ...any) (*sql.Rows, error),
	read func(scan func(...any) error) (T, int, error),
) (found store.Listed[T], err error) {
	found.Items = []T{}
	where, args := selection(of, l.column)
	if page.Cursor != "" {
		at, id, ok := strings.Cut(page.Cursor, "/")
		number, err := strconv.ParseInt(id, 10, 64)
		if !ok || err != nil {
			return found, store.BadCursor()
		}
		where, args = fmt.Sprintf("%s AND (%s, id) > (?, ?)", where, l.column), append(args, at, number)
	}
	rows, err := query(fmt.Sprintf("%s WHERE %s ORDER BY %s, id", l.statement, where, l.column), args...)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	bytes, last := 0, ""
	for rows.Next() {
		var at, id string
		row, size, err := read(func(columns ...any) error { return rows.Scan(append([]any{&at, &id}, columns...)...) })
		if err != nil {
			return found, err
		}
		if bytes += size; len(found.Items) == page.Limit || len(found.Items) > 0 && bytes > page.Bytes {
			found.Next = last
			return found, nil
		}
		found.Items, last = append(found.Items, row), at+"/"+id
	}
	return found, rows.Err()
}

func (s *Store) query(ctx context.Context) func(statement string, args ...any) (*sql.Rows, error) {
	return func(statement string, args ...any) (*sql.Rows, error) {
		return s.reader.QueryContext(ctx, statement, args...)
	}
}

// ListMeasurements returns a page of measurements in the order of their times.
func (s *Store) ListMeasurements(ctx context.Context, of store.Selection, page store.Page) (store.Listed[wire.Measurement], error) {
	l := listing{"SELECT time, id, time, name, fields, tags FROM measurements", "time"}
	return list(l, of, page, s.query(ctx),
		func(scan func(...any) error) (m wire.Measurement, size int, err error) {
			var at, fields, tags string
			if err = scan(&at, &m.Name, &fields, &tags); err == nil {
				m.Time, err = time.Parse(timeFormat, at)
			}
			err = cmp.Or(err, store.Decode([]byte(fields), &m.Fields), store.Decode([]byte(tags), &m.Tags))
			return m, len(at) + len(m.Name) + len(fields) + len(tags), err
		})
}

// ListPredictions returns a page of predictions in the order of their dates.
func (s *Store) ListPredictions(ctx context.Context, of store.Selection, page store.Page) (store.Listed[store.Prediction], error) {
	const columns = "runtime, predicted_value, true_value, extra, error, version, node, workflow, mirror"
	l := listing{"SELECT date, id, date, " + columns + " FROM predictions", "date"}
	return list(l, of, page, s.query(ctx),
		func(scan func(...any) error) (p store.Prediction, size int, err error) {
			var at, extra string
			err = scan(&at, &p.Runtime, &p.PredictedValue, &p.TrueValue, &extra, &p.Error, &p.Version, &p.Node, &p.Workflow, &p.Mirror)
			if err == nil {
				p.Date, err = time.Parse(timeFormat, at)
			}
			err = cmp.Or(err, store.Decode([]byte(extra), &p.Extra))
			return p, len(at) + len(p.PredictedValue) + len(p.TrueValue) + len(extra), err
		})
}

// CountMeasurements returns how many measurements are selected.
func (s *Store) CountMeasurements(ctx context.Context, of store.Selection) (n int64, err error) {
	where, args := selection(of, "time")
	err = s.reader.QueryRowContext(ctx, "SELECT count(*) FROM measurements WHERE "+where, args...).Scan(&n)
	return n, err
}

// DeleteMeasurements deletes the selected measurements.
func (s *Store) DeleteMeasurements(ctx context.Context, of store.Selection, part store.Part) (store.Deleted, error) {
	where, args := selection(of, "time")
	return s.deleteAll(ctx, "measurements", part, where, args...)
}

// DeletePredictions deletes the selected predictions.
func (s *Store) DeletePredictions(ctx context.Context, of store.Selection, part store.Part) (store.Deleted, error) {
	where, args := selection(of, "date")
	return s.deleteAll(ctx, "predictions", part, where, args...)
}
