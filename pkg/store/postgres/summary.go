package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

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
		return p, row.Scan(&p.True, &p.Predicted, &p.Count)
	})
	return found, s.failure(err)
}

// aggregates are SQL expressions for the value of an interval, of the numbers v.
func aggregates() map[store.Aggregate]string {
	return map[store.Aggregate]string{
		store.Mean: "avg(v)::float8::text", store.Sum: "sum(v)::text", store.Min: "min(v)::text", store.Max: "max(v)::text",
		store.Count: "count(v)::text", store.Last: "(array_agg(v ORDER BY date DESC, nanos DESC, id DESC))[1]::text",
	}
}

// QueryMeasurements aggregates a field over time.
func (s *Store) QueryMeasurements(ctx context.Context, q store.MeasurementQuery) (found []store.Series, err error) {
	aggregate, ok := aggregates()[q.Aggregate]
	if !ok {
		return nil, store.Refuse("aggregate: %q is not one of mean, sum, min, max, count, last", q.Aggregate)
	}
	where, args := selection(q.Selection, false)
	c := &compiler{args: args}
	tags := "ARRAY[]::text[]"
	for _, tag := range q.By {
		tags += fmt.Sprintf(" || coalesce(tags ->> %s::text, '')", c.arg(tag))
	}
	field := c.arg(q.Field) + "::text"
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`
SELECT by, start, %s FROM (SELECT (fields ->> %[2]s)::numeric AS v, %[3]s AS by, %[4]s AS start, date, nanos, id
	FROM krt_measurements WHERE jsonb_typeof(fields -> %[2]s) = 'number' AND %[5]s) m
GROUP BY by, start ORDER BY by COLLATE "C", start LIMIT %[6]d`, aggregate, field, tags, interval(q.Step), where, q.Limit+1), c.args...)
	if err != nil {
		return nil, s.failure(err)
	}
	defer rows.Close()
	points := 0
	var last []string
	for rows.Next() {
		var by []string
		var p store.Point
		var value string
		if err := rows.Scan(&by, &p.Time, &value); err != nil {
			return nil, s.failure(err)
		}
		if points++; points > q.Limit {
			return nil, store.Refuse("more than %d points: take a longer step or a shorter time", q.Limit)
		}
		if found == nil || fmt.Sprint(by) != fmt.Sprint(last) {
			found, last = append(found, seriesOf(q.By, by)), by
		}
		p.Time, p.Value = p.Time.UTC(), shortest(value)
		of := &found[len(found)-1]
		of.Points = append(of.Points, p)
	}
	return found, s.failure(rows.Err())
}

func seriesOf(names, values []string) store.Series {
	tags := map[string]string{}
	for i, name := range names {
		tags[name] = values[i]
	}
	return store.Series{Tags: tags}
}

// shortest is a number as JSON, of 64 bits and in its shortest form.
func shortest(value string) json.Number {
	if _, err := strconv.ParseInt(value, 10, 64); err == nil {
		return json.Number(value)
	}
	f, _ := strconv.ParseFloat(value, 64)
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}
