package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"krt.dev/kn-krt/pkg/data/quality"
	"krt.dev/kn-krt/pkg/store"
)

const (
	labelled = "(error = '' AND predicted_value <> '' AND true_value <> '')"
	// JSON's numbers are what a value must look like to be one; the rest is not converted.
	jsonNumber = `^\s*-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?\s*$`
)

// interval is an SQL expression for the start of the interval of a row's date.
func interval(step time.Duration) string {
	if step == 0 {
		return "to_timestamp(0)"
	}
	return fmt.Sprintf("date_bin('%d microseconds', date, to_timestamp(0))", step.Microseconds())
}

// number is an SQL expression for a text as a number; null if it is not one, or a large one:
// PostgreSQL fails where a float8 becomes infinite, or so small that it would be zero.
func number(column string) string {
	return fmt.Sprintf(`CASE WHEN length(%[1]s) <= 400 AND %[1]s ~ '%[2]s'
	THEN CASE WHEN abs(%[1]s::numeric) <= %[3]g THEN round(%[1]s::numeric, 100)::float8 END END`, column, jsonNumber, store.MaxNumber)
}

// CountPredictions counts predictions in intervals of step. Those with the same values are
// counted first, because it takes long to read them as numbers.
func (s *Store) CountPredictions(ctx context.Context, of store.Selection, step time.Duration) (found []store.Counts, err error) {
	where, args := selection(of, true)
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`
SELECT start, sum(n)::bigint, %[6]s, %[7]s, %[8]s, %[9]s, %[10]s, coalesce(sum(n * abs(d)), 0), coalesce(sum(n * d * d), 0)
FROM (SELECT *, %[2]s AS labelled, CASE WHEN %[2]s THEN (%[3]s) - (%[4]s) END AS d
	FROM (SELECT %[1]s AS start, predicted_value, true_value, error, count(*) AS n FROM krt_predictions WHERE %[5]s
		GROUP BY 1, 2, 3, 4) g) p
GROUP BY start ORDER BY start`,
		interval(step), labelled, number("predicted_value"), number("true_value"), where,
		counted("error = 'missing_values'"), counted("error = 'new_labels'"), counted("labelled"),
		counted("labelled AND predicted_value = true_value"), counted("d IS NOT NULL")), args...)
	if err != nil {
		return nil, s.failure(err)
	}
	found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c store.Counts, err error) {
		err = row.Scan(&c.Start, &c.Total, &c.Missing, &c.New, &c.Labelled, &c.Correct, &c.Numbers, &c.Absolute, &c.Squared)
		c.Start = c.Start.UTC()
		return c, err
	})
	return found, s.failure(err)
}

// counted is how many predictions are in the groups that meet a condition.
func counted(condition string) string {
	return fmt.Sprintf("coalesce(sum(n) FILTER (WHERE %s), 0)::bigint", condition)
}

// CountPairs returns the pairs of values, the most frequent ones first.
func (s *Store) CountPairs(ctx context.Context, of store.Selection, limit int) (found []store.Pair, err error) {
	where, args := selection(of, true)
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`
SELECT true_value, predicted_value, count(*) AS n FROM krt_predictions WHERE %s AND %s GROUP BY true_value, predicted_value
ORDER BY n DESC, true_value COLLATE "C", predicted_value COLLATE "C" LIMIT %d`, where, labelled, limit), args...)
	if err != nil {
		return nil, s.failure(err)
	}
	found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p store.Pair, err error) {
		err = row.Scan(&p.True, &p.Predicted, &p.Count)
		return store.Pair{True: store.LabelOf(p.True), Predicted: store.LabelOf(p.Predicted), Count: p.Count}, err
	})
	return found, s.failure(err)
}

// CountVersions counts by version.
func (s *Store) CountVersions(ctx context.Context, of store.Selection, limit int) (found []quality.Version, err error) {
	where, args := selection(of, true)
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`
SELECT version, count(*) AS n, min(date), max(date) FROM krt_predictions WHERE %s GROUP BY version
ORDER BY n DESC, version COLLATE "C" LIMIT %d`, where, limit), args...)
	if err != nil {
		return nil, s.failure(err)
	}
	found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (v quality.Version, err error) {
		err = row.Scan(&v.Name, &v.Total, &v.First, &v.Last)
		v.First, v.Last = v.First.UTC().Truncate(time.Hour), v.Last.UTC().Truncate(time.Hour)
		return v, err
	})
	return found, s.failure(err)
}

// LatestLabelled returns labelled predictions, the latest first.
func (s *Store) LatestLabelled(ctx context.Context, of store.Selection, limit int) (found []store.Labelled, err error) {
	where, args := selection(of, true)
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`
SELECT date, nanos, true_value, predicted_value FROM krt_predictions WHERE %s AND %s
ORDER BY date DESC, nanos DESC, id DESC LIMIT %d`, where, labelled, limit), args...)
	if err != nil {
		return nil, s.failure(err)
	}
	found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l store.Labelled, err error) {
		var nanos int
		err = row.Scan(&l.Date, &nanos, &l.True, &l.Predicted)
		l.Date = l.Date.UTC().Add(time.Duration(nanos))
		return store.Labelled{Date: l.Date, True: store.LabelOf(l.True), Predicted: store.LabelOf(l.Predicted)}, err
	})
	return found, s.failure(err)
}
