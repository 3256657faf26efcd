package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"krt.dev/kn-krt/pkg/store"
)

// aggregates are SQL expressions for the value of an interval, of the numbers v.
func aggregates() map[store.Aggregate]string {
	return map[store.Aggregate]string{
		store.Mean: "avg(v)::text", store.Sum: "sum(v)::text", store.Min: "min(v)::text", store.Max: "max(v)::text",
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
	beyond := "false"
	if q.Aggregate == store.Mean || q.Aggregate == store.Sum {
		beyond = fmt.Sprintf("sum(abs(v)) > %d::numeric", largest())
	}
	field := c.arg(q.Field) + "::text"
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`
SELECT by, start, %s, %[7]s FROM (SELECT (fields ->> %[2]s)::numeric AS v, %[3]s AS by, %[4]s AS start, date, nanos, id
	FROM krt_measurements WHERE jsonb_typeof(fields -> %[2]s) = 'number' AND %[5]s) m
GROUP BY by, start ORDER BY by COLLATE "C", start LIMIT %[6]d`,
		aggregate, field, tags, interval(q.Step), where, q.Limit+1, beyond), c.args...)
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
		var beyond bool
		if err := rows.Scan(&by, &p.Time, &value, &beyond); err != nil {
			return nil, s.failure(err)
		}
		if beyond {
			return nil, store.Beyond(q.Aggregate, p.Time)
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

// largest is the largest number of 64 bits.
func largest() *big.Int {
	n, _ := big.NewFloat(math.MaxFloat64).Int(nil)
	return n
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
