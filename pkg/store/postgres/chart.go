package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"krt.dev/kn-krt/pkg/store"
)

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
