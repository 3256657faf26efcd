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

// hourFormat is the beginning of timeFormat up to the hour.
const hourFormat = "2006-01-02T15"

// counted is an SQL query for what is counted of the selected predictions: whole hours from
// their counts, and parts of an hour from the predictions themselves.
func counted(of store.Selection) (statement string, args []any) {
	const columns = "hour, error, true_value, predicted_value, %s AS n, labelled, correct, numbers, absolute, squared"
	add := func(table, n string, of store.Selection, column, format string) {
		if statement != "" {
			statement += " UNION ALL "
		}
		where := "runtime = ?"
		args = append(args, of.Runtime)
		if of.Version != "" {
			where, args = where+" AND version = ?", append(args, of.Version)
		}
		if !of.From.IsZero() {
			where, args = where+" AND "+column+" >= ?", append(args, of.From.UTC().Format(format))
		}
		if !of.To.IsZero() {
			where, args = where+" AND "+column+" < ?", append(args, of.To.UTC().Format(format))
		}
		statement += fmt.Sprintf("SELECT "+columns+" FROM %s WHERE %s", n, table, where)
	}
	whole, before, after := of, of, of
	if first := of.From.Truncate(time.Hour); !first.Equal(of.From) {
		whole.From = first.Add(time.Hour)
	}
	whole.To = of.To.Truncate(time.Hour)
	if !of.From.IsZero() && !of.To.IsZero() && !whole.From.Before(whole.To) {
		add("prediction_parts", "1", of, "date", timeFormat)
		return statement, args
	}
	add("prediction_counts", "n", whole, "hour", hourFormat)
	if before.To = whole.From; !whole.From.Equal(of.From) {
		add("prediction_parts", "1", before, "date", timeFormat)
	}
	if after.From = whole.To; !whole.To.Equal(of.To) {
		add("prediction_parts", "1", after, "date", timeFormat)
	}
	return statement, args
}

// CountPredictions counts predictions in intervals of step.
func (s *Store) CountPredictions(ctx context.Context, of store.Selection, step time.Duration) (found []store.Counts, err error) {
	statement, args := counted(of)
	statement = fmt.Sprintf(`
SELECT hour, sum(n), sum(iif(error = 'missing_values', n, 0)), sum(iif(error = 'new_labels', n, 0)), sum(labelled), sum(correct),
	sum(numbers), total(absolute), total(squared) FROM (%s) GROUP BY hour ORDER BY hour`, statement)
	err = s.rows(ctx, statement, args, func(rows *sql.Rows) error {
		var c store.Counts
		var hour string
		if err := rows.Scan(&hour, &c.Total, &c.Missing, &c.New, &c.Labelled, &c.Correct, &c.Numbers, &c.Absolute, &c.Squared); err != nil {
			return err
		}
		at, err := time.Parse(hourFormat, hour)
		if err != nil {
			return err
		}
		c.Start = intervalOf(at, step)
		if last := len(found) - 1; last >= 0 && found[last].Start.Equal(c.Start) {
			found[last].Add(c)
		} else {
			found = append(found, c)
		}
		return nil
	})
	return found, err
}

// intervalOf is the start of the interval that a time is in.
func intervalOf(at time.Time, step time.Duration) time.Time {
	seconds := int64(step / time.Second)
	if seconds == 0 {
		return time.Unix(0, 0).UTC()
	}
	rest := at.Unix() % seconds
	if rest < 0 {
		rest += seconds
	}
	return time.Unix(at.Unix()-rest, 0).UTC()
}

// CountPairs returns the pairs of labels, the most frequent ones first.
func (s *Store) CountPairs(ctx context.Context, of store.Selection, limit int) (found []store.Pair, err error) {
	statement, args := counted(of)
	statement = fmt.Sprintf(`
SELECT true_value, predicted_value, sum(labelled) AS labelled FROM (%s) WHERE labelled > 0 AND true_value <> ''
GROUP BY true_value, predicted_value ORDER BY labelled DESC, true_value, predicted_value LIMIT %d`, statement, limit)
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
