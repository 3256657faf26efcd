package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// PostgreSQL's times are exact to microseconds: the rest is in a column of its own.
func split(t time.Time) (date time.Time, nanos int) {
	t = t.UTC()
	return t.Truncate(time.Microsecond), t.Nanosecond() % 1000
}

// SavePredictions keeps predictions, all or none.
func (s *Store) SavePredictions(ctx context.Context, predictions []store.Prediction) error {
	rows := make([][]any, len(predictions))
	for i, p := range predictions {
		extra, err := encode(p.Extra)
		if err != nil {
			return err
		}
		date, nanos := split(p.Date)
		rows[i] = []any{p.Runtime, date, nanos, p.PredictedValue, p.TrueValue, extra, p.Error, p.Version, p.Node, p.Workflow, p.Mirror}
	}
	columns := []string{"runtime", "date", "nanos", "predicted_value", "true_value", "extra", "error", "version", "node", "workflow", "mirror"}
	return s.insert(ctx, "krt_predictions", columns, rows)
}

// SaveMeasurements keeps measurements of a runtime, all or none.
func (s *Store) SaveMeasurements(ctx context.Context, runtime string, measurements []wire.Measurement) error {
	rows := make([][]any, len(measurements))
	for i, m := range measurements {
		fields, err := encode(m.Fields)
		if err != nil {
			return err
		}
		tags, err := encode(m.Tags)
		if err != nil {
			return err
		}
		date, nanos := split(m.Time)
		rows[i] = []any{runtime, m.Name, date, nanos, fields, tags}
	}
	return s.insert(ctx, "krt_measurements", []string{"runtime", "name", "date", "nanos", "fields", "tags"}, rows)
}

// insert adds rows: many at once by the protocol for bulk data. When a connection is lost
// before the response, they may be added twice.
func (s *Store) insert(ctx context.Context, table string, columns []string, rows [][]any) error {
	if len(rows) > 1 {
		return s.retry(ctx, func(bool) error {
			_, err := s.pool.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
			return err
		})
	}
	values := make([]string, len(columns))
	for i := range values {
		values[i] = "$" + strconv.Itoa(i+1)
	}
	statement := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ", "), strings.Join(values, ", "))
	for _, row := range rows {
		if _, err := s.exec(ctx, statement, row...); err != nil {
			return err
		}
	}
	return nil
}

// selection is an SQL condition on the rows of a table, with its parameters.
func selection(of store.Selection, predictions bool) (where string, args []any) {
	where = "TRUE"
	add := func(condition string, values ...any) {
		places := make([]any, len(values))
		for i, value := range values {
			args = append(args, value)
			places[i] = len(args)
		}
		where += " AND " + fmt.Sprintf(condition, places...)
	}
	if of.Runtime != "" {
		add("runtime = $%d", of.Runtime)
	}
	if of.Name != "" {
		add("name = $%d", of.Name)
	}
	if !of.From.IsZero() {
		date, nanos := split(of.From)
		add("(date, nanos) >= ($%d::timestamptz, $%d::smallint)", date, nanos)
	}
	if !of.To.IsZero() {
		date, nanos := split(of.To)
		add("(date, nanos) < ($%d::timestamptz, $%d::smallint)", date, nanos)
	}
	for name, value := range of.Tags {
		add("tags ->> $%d::text = $%d", name, value)
	}
	switch {
	case of.Version == "":
	case predictions:
		add("version = $%d", of.Version)
	default:
		add("tags ->> 'version' = $%d", of.Version)
	}
	if predictions && of.Mirrored != store.MirroredToo {
		add("mirror = $%d", of.Mirrored == store.MirroredOnly)
	}
	return where, args
}

// place is where a row is in the order of its table.
type place struct {
	date  time.Time
	nanos int
	id    int64
}

func (p place) String() string {
	return fmt.Sprintf("%d/%d/%d", p.date.UnixMicro(), p.nanos, p.id)
}

func placeOf(cursor string) (p place, err error) {
	var micros int64
	if n, err := fmt.Sscanf(cursor, "%d/%d/%d", &micros, &p.nanos, &p.id); err != nil || n != 3 {
		return p, store.BadCursor()
	}
	if p.date = time.UnixMicro(micros).UTC(); p.String() != cursor || p.nanos < 0 || p.nanos > 999 {
		return p, store.BadCursor()
	}
	return p, nil
}

// time is the time of the row.
func (p place) time() time.Time { return p.date.UTC().Add(time.Duration(p.nanos)) }

// rows are those of a table that meet a condition, and the columns to read behind those of
// their place.
type rows struct {
	columns, table, where string
	args                  []any
}

// list reads a page of the rows of a selection. Read returns a row, having scanned its
// columns behind those of its place, and about how many bytes it has.
func list[T any](ctx context.Context, s *Store, of rows, page store.Page,
	read func(at *place, scan func(...any) error) (T, int, error),
) (found store.Listed[T], err error) {
	found.Items = []T{}
	where, args := of.where, of.args
	if page.Cursor != "" {
		after, err := placeOf(page.Cursor)
		if err != nil {
			return found, err
		}
		n := len(args)
		where = fmt.Sprintf("%s AND (date, nanos, id) > ($%d::timestamptz, $%d::smallint, $%d::bigint)", where, n+1, n+2, n+3)
		args = append(args, after.date, after.nanos, after.id)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := s.pool.Query(ctx, fmt.Sprintf("SELECT date, nanos, id, %s FROM %s WHERE %s ORDER BY date, nanos, id LIMIT %d",
		of.columns, of.table, where, page.Limit+1), args...)
	if err != nil {
		return found, s.failure(err)
	}
	defer rows.Close()
	bytes, last := 0, ""
	for rows.Next() {
		var at place
		row, size, err := read(&at, func(columns ...any) error {
			return rows.Scan(append([]any{&at.date, &at.nanos, &at.id}, columns...)...)
		})
		if err != nil {
			return found, s.failure(err)
		}
		if bytes += size; len(found.Items) == page.Limit || len(found.Items) > 0 && bytes > page.Bytes {
			if len(found.Items) < page.Limit {
				cancel()
			}
			found.Next = last
			return found, nil
		}
		found.Items, last = append(found.Items, row), at.String()
	}
	return found, s.failure(rows.Err())
}

// ListMeasurements returns a page of measurements in the order of their times.
func (s *Store) ListMeasurements(ctx context.Context, of store.Selection, page store.Page) (store.Listed[wire.Measurement], error) {
	where, args := selection(of, false)
	return list(ctx, s, rows{"name, fields::text, tags::text", "krt_measurements", where, args}, page,
		func(at *place, scan func(...any) error) (m wire.Measurement, size int, err error) {
			var fields, tags []byte
			if err = scan(&m.Name, &fields, &tags); err == nil {
				err = cmp.Or(store.Decode(fields, &m.Fields), store.Decode(tags, &m.Tags))
			}
			m.Time = at.time()
			return m, len(m.Name) + len(fields) + len(tags), err
		})
}

// ListPredictions returns a page of predictions in the order of their dates.
func (s *Store) ListPredictions(ctx context.Context, of store.Selection, page store.Page) (store.Listed[store.Prediction], error) {
	where, args := selection(of, true)
	columns := "runtime, predicted_value, true_value, extra::text, error, version, node, workflow, mirror"
	return list(ctx, s, rows{columns, "krt_predictions", where, args}, page,
		func(at *place, scan func(...any) error) (p store.Prediction, size int, err error) {
			var extra []byte
			err = scan(&p.Runtime, &p.PredictedValue, &p.TrueValue, &extra, &p.Error, &p.Version, &p.Node, &p.Workflow, &p.Mirror)
			if err == nil {
				err = store.Decode(extra, &p.Extra)
			}
			p.Date = at.time()
			return p, len(p.PredictedValue) + len(p.TrueValue) + len(extra), err
		})
}

// CountMeasurements returns how many measurements are selected.
func (s *Store) CountMeasurements(ctx context.Context, of store.Selection) (n int64, err error) {
	where, args := selection(of, false)
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM krt_measurements WHERE "+where, args...).Scan(&n)
	return n, s.failure(err)
}
