package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"krt.dev/kn-krt/pkg/data/quality"
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

// hourFormat is the beginning of timeFormat up to the hour.
const hourFormat = "2006-01-02T15"

// counted is an SQL query for what is counted of the selected predictions: whole hours from
// their counts, and parts of an hour from the predictions themselves.
func counted(of store.Selection) (statement string, args []any) {
	const columns = "hour, version, error, true_value, predicted_value, %s AS n, labelled, correct, numbers, absolute, squared"
	add := func(table, n string, of store.Selection, column, format string) {
		if statement != "" {
			statement += " UNION ALL "
		}
		where := "runtime = ?"
		args = append(args, of.Runtime)
		if of.Version != "" {
			where, args = where+" AND version = ?", append(args, of.Version)
		}
		if marked, by := mirrored(of.Mirrored); by {
			where, args = where+" AND mirror = ?", append(args, marked)
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
		found = append(found, store.Pair{True: store.LabelOf(p.True), Predicted: store.LabelOf(p.Predicted), Count: p.Count})
		return err
	})
	return found, err
}

// CountVersions counts by version.
func (s *Store) CountVersions(ctx context.Context, of store.Selection, limit int) (found []quality.Version, err error) {
	statement, args := counted(of)
	statement = fmt.Sprintf(`
SELECT version, sum(n) AS total, min(hour), max(hour) FROM (%s) GROUP BY version ORDER BY total DESC, version LIMIT %d`, statement, limit)
	err = s.rows(ctx, statement, args, func(rows *sql.Rows) error {
		var v quality.Version
		var first, last string
		if err := rows.Scan(&v.Name, &v.Total, &first, &last); err != nil {
			return err
		}
		var firstErr, lastErr error
		v.First, firstErr = time.Parse(hourFormat, first)
		v.Last, lastErr = time.Parse(hourFormat, last)
		found = append(found, v)
		return cmp.Or(firstErr, lastErr)
	})
	return found, err
}

// LatestLabelled returns labelled predictions, the latest first.
func (s *Store) LatestLabelled(ctx context.Context, of store.Selection, limit int) (found []store.Labelled, err error) {
	where, args := selection(of, "date")
	statement := fmt.Sprintf(`
SELECT date, true_value, predicted_value FROM predictions
WHERE %s AND error = '' AND true_value <> '' AND predicted_value <> '' ORDER BY date DESC, id DESC LIMIT %d`, where, limit)
	err = s.rows(ctx, statement, args, func(rows *sql.Rows) error {
		var date, truth, predicted string
		if err := rows.Scan(&date, &truth, &predicted); err != nil {
			return err
		}
		at, err := time.Parse(timeFormat, date)
		found = append(found, store.Labelled{Date: at, True: store.LabelOf(truth), Predicted: store.LabelOf(predicted)})
		return err
	})
	return found, err
}
