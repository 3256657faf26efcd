package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
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
	found, err = s.aggregate(ctx, q, aggregate)
	if err != nil && strings.Contains(err.Error(), "integer overflow") { // sums of integers beyond 64 bits are floats
		return s.aggregate(ctx, q, "total(v)")
	}
	return found, err
}

// aggregate makes the series of a query by an SQL expression of the values v.
func (s *Store) aggregate(ctx context.Context, q store.MeasurementQuery, expression string) (found []store.Series, err error) {
	where, whereArgs := selection(q.Selection, "time")
	var args []any
	by := make([]string, len(q.By))
	for i, tag := range q.By {
		by[i] = "coalesce((SELECT value FROM json_each(tags) WHERE key = ?), '')"
		args = append(args, tag)
	}
	tags := "json_array(" + strings.Join(by, ", ") + ")"
	size := "0.0"
	if q.Aggregate == store.Mean || q.Aggregate == store.Sum {
		size = "total(abs(v + 0.0))" // whether the sum is a number must not depend on the order of the values
	}
	statement := fmt.Sprintf(`
SELECT tags, start, %s, %s, max(time) FROM (
	SELECT f.atom AS v, %s AS tags, %s AS start, time FROM measurements, json_each(fields) f
	WHERE f.key = ? AND f.type IN ('integer', 'real') AND %s)
GROUP BY tags, start ORDER BY tags, start LIMIT %d`, expression, size, tags, interval("time", q.Step), where, q.Limit+1)
	points, last := 0, ""
	err = s.rows(ctx, statement, append(append(args, q.Field), whereArgs...), func(rows *sql.Rows) error {
		var p point
		if err := p.scan(rows); err != nil {
			return err
		}
		if points++; points > q.Limit {
			return store.Refuse("more than %d points: take a longer step or a shorter time", q.Limit)
		}
		if math.IsInf(p.size, 0) {
			return store.Beyond(q.Aggregate, p.start)
		}
		if p.tags != last || found == nil {
			series, err := seriesOf(q.By, p.tags)
			if err != nil {
				return err
			}
			found, last = append(found, series), p.tags
		}
		of := &found[len(found)-1]
		of.Points = append(of.Points, store.Point{Time: p.start, Value: jsonNumber(p.value)})
		return nil
	})
	return found, err
}

// point is a row of an aggregate.
type point struct {
	tags  string // a JSON list of values
	start time.Time
	value any
	size  float64 // the sum of the values without their signs
}

func (p *point) scan(rows *sql.Rows) error {
	var start int64
	var latest sql.RawBytes
	err := rows.Scan(&p.tags, &start, &p.value, &p.size, &latest)
	p.start = time.Unix(start, 0).UTC()
	return err
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
