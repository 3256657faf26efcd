package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/store"
)

const (
	labelled = "(error = '' AND predicted_value <> '' AND true_value <> '')"
	// JSON's numbers are what a value must look like to be one.
	isNumber   = "CASE WHEN json_valid(%[1]s) THEN json_type(%[1]s) IN ('integer', 'real') ELSE FALSE END"
	difference = "(CAST(predicted_value AS REAL) - CAST(true_value AS REAL))"
)

// rows calls read for each row of a query.
func (s *Store) rows(ctx context.Context, statement string, args []any, read func(*sql.Rows) error) (err error) {
	rows, err := s.reader.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// interval is an SQL expression for the start of the interval of a time, in seconds since
// 1970.
func interval(column string, step time.Duration) string {
	seconds := int64(step / time.Second)
	if seconds == 0 {
		return "0"
	}
	return fmt.Sprintf("unixepoch(substr(%s, 1, 19)) / %d * %d", column, seconds, seconds)
}

// CountPredictions counts predictions in intervals of step.
func (s *Store) CountPredictions(ctx context.Context, of store.Selection, step time.Duration) (found []store.Counts, err error) {
	where, args := selection(of, "date")
	numbers := fmt.Sprintf("(%s AND %s AND %s)", labelled, fmt.Sprintf(isNumber, "predicted_value"), fmt.Sprintf(isNumber, "true_value"))
	statement := fmt.Sprintf(`
SELECT start, count(*), sum(error = 'missing_values'), sum(error = 'new_labels'), sum(labelled),
	sum(labelled AND predicted_value = true_value), sum(numbers), total(iif(numbers, abs(d), 0)), total(iif(numbers, d * d, 0))
FROM (SELECT %s AS start, predicted_value, true_value, error, %s AS labelled, %s AS numbers, %s AS d FROM predictions WHERE %s)
GROUP BY start ORDER BY start`, interval("date", step), labelled, numbers, difference, where)
	err = s.rows(ctx, statement, args, func(rows *sql.Rows) error {
		var c store.Counts
		var start int64
		err := rows.Scan(&start, &c.Total, &c.Missing, &c.New, &c.Labelled, &c.Correct, &c.Numbers, &c.Absolute, &c.Squared)
		c.Start = time.Unix(start, 0).UTC()
		found = append(found, c)
		return err
	})
	return found, err
}

// CountPairs returns the pairs of values, the most frequent ones first.
func (s *Store) CountPairs(ctx context.Context, of store.Selection, limit int) (found []store.Pair, err error) {
	where, args := selection(of, "date")
	statement := fmt.Sprintf(`
SELECT true_value, predicted_value, count(*) AS n FROM predictions WHERE %s AND %s
GROUP BY true_value, predicted_value ORDER BY n DESC, true_value, predicted_value LIMIT %d`, where, labelled, limit)
	err = s.rows(ctx, statement, args, func(rows *sql.Rows) error {
		var p store.Pair
		err := rows.Scan(&p.True, &p.Predicted, &p.Count)
		found = append(found, p)
		return err
	})
	return found, err
}

// QueryMeasurements aggregates a field over time.
func (s *Store) QueryMeasurements(ctx context.Context, q store.MeasurementQuery) (found []store.Series, err error) {
	aggregate, ok := map[store.Aggregate]string{
		store.Mean: "avg(v)", store.Sum: "sum(v)", store.Min: "min(v)", store.Max: "max(v)", store.Count: "count(v)",
		store.Last: "v", // that of the row with max(time), as SQLite has it
	}[q.Aggregate]
	if !ok {
		return nil, store.Refuse("aggregate: %q is not one of mean, sum, min, max, count, last", q.Aggregate)
	}
	where, whereArgs := selection(q.Selection, "time")
	var args []any
	by := make([]string, len(q.By))
	for i, tag := range q.By {
		by[i] = "coalesce((SELECT value FROM json_each(tags) WHERE key = ?), '')"
		args = append(args, tag)
	}
	tags := "json_array(" + strings.Join(by, ", ") + ")"
	statement := fmt.Sprintf(`
SELECT tags, start, %s, max(time) FROM (
	SELECT f.atom AS v, %s AS tags, %s AS start, time FROM measurements, json_each(fields) f
	WHERE f.key = ? AND f.type IN ('integer', 'real') AND %s)
GROUP BY tags, start ORDER BY tags, start LIMIT %d`, aggregate, tags, interval("time", q.Step), where, q.Limit+1)
	points, last := 0, ""
	err = s.rows(ctx, statement, append(append(args, q.Field), whereArgs...), func(rows *sql.Rows) error {
		var encoded string
		var start int64
		var value any
		var latest sql.RawBytes
		if err := rows.Scan(&encoded, &start, &value, &latest); err != nil {
			return err
		}
		if points++; points > q.Limit {
			return store.Refuse("more than %d points: take a longer step or a shorter time", q.Limit)
		}
		if encoded != last || found == nil {
			series, err := seriesOf(q.By, encoded)
			if err != nil {
				return err
			}
			found, last = append(found, series), encoded
		}
		of := &found[len(found)-1]
		of.Points = append(of.Points, store.Point{Time: time.Unix(start, 0).UTC(), Value: jsonNumber(value)})
		return nil
	})
	return found, err
}

// seriesOf is a series for the values of the tags by, which are a JSON list.
func seriesOf(by []string, values string) (store.Series, error) {
	var list []string
	err := json.Unmarshal([]byte(values), &list)
	tags := map[string]string{}
	for i, name := range by {
		if i < len(list) {
			tags[name] = list[i]
		}
	}
	return store.Series{Tags: tags}, err
}

func jsonNumber(value any) json.Number {
	switch v := value.(type) {
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		return json.Number(cmp.Or(strconv.FormatFloat(v, 'g', -1, 64), "0"))
	}
	return "0"
}
