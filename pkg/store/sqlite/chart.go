package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/store"
)

// interval is an SQL expression for the start of the interval of a time, in seconds since
// 1970.
func interval(column string, step time.Duration) string {
	seconds := int64(step / time.Second)
	if seconds == 0 {
		return "0"
	}
	return fmt.Sprintf("unixepoch(substr(%s, 1, 19)) / %d * %d", column, seconds, seconds)
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
