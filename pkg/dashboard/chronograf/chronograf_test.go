package chronograf_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/chronograf"
)

// cell is a cell of a file with one query.
func cell(kind, query string) map[string]any {
	return map[string]any{"x": 0, "y": 0, "w": 4, "h": 3, "name": "a cell", "type": kind, "queries": []any{map[string]any{"query": query}}}
}

func parse(t *testing.T, cells ...map[string]any) *chronograf.Dashboard {
	t.Helper()
	text, err := json.Marshal(map[string]any{"name": "Hotel", "cells": cells})
	require.NoError(t, err)
	d, err := chronograf.Parse(text)
	require.NoError(t, err)
	return d
}

const source = `from(bucket: "kre/autogen") |> range(start: dashboardTime) `

func TestQueries(t *testing.T) {
	const filter = source + `|> filter(fn: (r) => r._measurement == "price" and r._field == "value") `
	none, queens, tags := map[string]string{}, map[string]string{"borough": "Queens"}, []string{"workflow", "node"}
	for name, c := range map[string]struct {
		kind, query string
		want        []chronograf.Query
	}{
		"flux": {"line", filter + `|> aggregateWindow(every: autoInterval, fn: mean)`,
			[]chronograf.Query{{Measurement: "price", Field: "value", Tags: none, By: tags, Aggregate: "mean"}}},
		"flux by a tag": {"bar", source + `|> filter(fn: (r) => r._measurement == "price" and (r._field == "value")) // of rooms
			|> keep(columns: ["_time", "borough", "_value"])
			|> aggregateWindow(every: 5m, fn: sum)
			|> pivot(rowKey:["_time"], columnKey: ["borough"], valueColumn: "_value")`,
			[]chronograf.Query{{Measurement: "price", Field: "value", Tags: none, By: []string{"borough"}, Aggregate: "sum",
				Step: 5 * time.Minute}}},
		"flux with a tag": {"line", `from(bucket: "b") |> range(start: -2h) |> filter(fn: (r) => r["_measurement"] == "price")
			|> filter(fn: (r) => r["_field"] == "value" and r.borough == "Queens") |> group() |> aggregateWindow(every: v.windowPeriod, fn: last)
			|> yield(name: "last")`,
			[]chronograf.Query{{Measurement: "price", Field: "value", Tags: map[string]string{"borough": "Queens"},
				Aggregate: "last", Over: 2 * time.Hour}}},
		"flux of two fields": {"line", source + `|> filter(fn: (r) => r._measurement == "price" and (r._field == "a" or r._field == "b"))
			|> aggregateWindow(every: 1h, fn: max)`,
			[]chronograf.Query{{Measurement: "price", Field: "a", Tags: none, By: tags, Aggregate: "max", Step: time.Hour},
				{Measurement: "price", Field: "b", Tags: none, By: tags, Aggregate: "max", Step: time.Hour}}},
		"flux that counts": {"line", filter + `|> keep(columns: ["_time"]) |> map(fn: (r) => ({ r with _value: 1 })) |> group()
			|> aggregateWindow(every: autoInterval, fn: sum) |> drop(columns: ["_start", "_stop"])`,
			[]chronograf.Query{{Measurement: "price", Field: "value", Tags: none, Aggregate: "count"}}},
		"flux with an offset": {"line", filter + `|> aggregateWindow(every: 1h, offset: -15m, fn: mean)`,
			[]chronograf.Query{{Measurement: "price", Field: "value", Tags: none, By: tags, Aggregate: "mean", Step: time.Hour,
				Offset: -15 * time.Minute}}},
		"flux without one": {"line", filter + `|> aggregateWindow(every: 1h, offset: 0s, fn: mean)`,
			[]chronograf.Query{{Measurement: "price", Field: "value", Tags: none, By: tags, Aggregate: "mean", Step: time.Hour}}},
		"flux of one value": {"single-stat", filter + `|> group() |> count()`,
			[]chronograf.Query{{Measurement: "price", Field: "value", Tags: none, Aggregate: "count", Whole: true}}},
		"the original's reduce()": {"table", filter + `|> keep(columns: ["node", "workflow", "_value"]) |> group(columns: ["workflow", "node"])
			|> reduce(fn: (r, accumulator) => ({
				min: if r._value < accumulator.min then r._value else accumulator.min, total: r._value + accumulator.total,
				count: accumulator.count + 1.0 }), identity: {min: 999999999.0, total: 0.0, count: 0.0})
			|> map(fn: (r) => ({ r with avg: r.total / r.count })) |> drop(columns: ["count"]) |> group(columns: ["workflow"])`,
			[]chronograf.Query{
				{Measurement: "price", Field: "value", Tags: none, By: tags, Aggregate: "min", Whole: true, Label: "min"},
				{Measurement: "price", Field: "value", Tags: none, By: tags, Aggregate: "sum", Whole: true, Label: "total"},
				{Measurement: "price", Field: "value", Tags: none, By: tags, Aggregate: "mean", Whole: true, Label: "avg"}}},
		"influxql": {"line", `SELECT mean("value") AS "mean", max(value) FROM "kre"."autogen"."price"
			WHERE time > :dashboardTime: AND ("borough" = 'Queens') GROUP BY time(:interval:), "node" FILL(null)`,
			[]chronograf.Query{
				{Measurement: "price", Field: "value", Tags: queens, By: []string{"node"}, Aggregate: "mean", Label: "mean"},
				{Measurement: "price", Field: "value", Tags: queens, By: []string{"node"}, Aggregate: "max"}}},
		"influxql with a time": {"single-stat", `select sum(value) from price where time > now() - 1d and time < now()`,
			[]chronograf.Query{{Measurement: "price", Field: "value", Tags: none, Aggregate: "sum", Over: 24 * time.Hour, Whole: true}}},
		"influxql of a default policy": {"line", `SELECT count("value") FROM "kre".."price" GROUP BY time(10s)`,
			[]chronograf.Query{{Measurement: "price", Field: "value", Tags: none, Aggregate: "count", Step: 10 * time.Second}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := parse(t, cell(c.kind, c.query)).Cells[0]
			require.Empty(t, got.Reason)
			require.Equal(t, c.want, got.Queries)
		})
	}
}

func TestReasons(t *testing.T) {
	const filter = source + `|> filter(fn: (r) => r._measurement == "m" and r._field == "f") `
	const pipeline = "its query is not of the form from() |> range() |> filter() |> aggregateWindow()"
	const form = "its query is not of the form SELECT mean(field) FROM measurement WHERE tag = 'value' GROUP BY time(1m), tag"
	for query, want := range map[string]string{
		filter + `|> window(every: 1m)`:                                            "its query uses window(), which is not supported",
		filter + `|> aggregateWindow(every: 1m, fn: median)`:                       "its query uses median(), which the store does not compute",
		filter + `|> aggregateWindow(every: 1mo, fn: sum)`:                         "its query has an interval that is not supported",
		filter + `|> group(columns: ["_value"]) |> count()`:                        "its query groups by values, which is not supported",
		filter + `|> map(fn: (r) => ({ r with _value: r._value * 2 })) |> mean()`:  "its query has a map() that is not supported",
		filter + `|> reduce(fn: (r, accumulator) => ({ sum: 2.0 }), identity: {})`: "its query has a reduce() that is not supported",
		filter:               "its query shows every single value, not an aggregate",
		source + `|> mean()`: "its query does not select a measurement and a field",
		source + `|> filter(fn: (r) => r._measurement =~ /a/)`:    `its query has the condition "r._measurement=~/a/", which is not supported`,
		source + `|> filter(fn: (r) => r.a == "1" or r.b == "2")`: "its query has an or, which is supported for _field only",
		`import "math" ` + filter:                                 pipeline,
		filter + `|>`:                                             pipeline,
		`from(bucket: "b) |> range()`:                             "a string has no end in its query",
		``:                                                        form,
		`SELECT "f" FROM m`:                                       form,
		`SELECT median(f) FROM m`:                                 "its query uses median(), which the store does not compute",
		`SELECT mean(f) FROM m GROUP BY time(1m) FILL(previous)`:      "its query fills gaps, which is not supported",
		`SELECT mean(f) FROM m WHERE a =~ /b/`:                        "its query compares a in a way that is not supported",
		`SELECT mean(f) FROM m; DROP DATABASE kre`:                    `its query has "DROP DATABASE kre", which is not supported`,
		`SELECT mean(f) FROM m WHERE time > '2020-01-01'`:             "its query has a time that is not supported",
		strings.Repeat(" ", 17<<10):                                   "a query is larger than 16384 bytes",
		`SELECT ` + strings.Repeat("mean(f),", 16) + `mean(f) FROM m`: "it has more than 16 queries",
	} {
		t.Run(want, func(t *testing.T) {
			got := parse(t, cell("table", query)).Cells[0]
			require.Equal(t, want, got.Reason)
			require.Empty(t, got.Queries)
		})
	}
	require.Equal(t, `cells of type "guide" are not drawn`, parse(t, cell("guide", "")).Cells[0].Reason)
	require.Equal(t, "a query has one value for the whole time, which is not a line",
		parse(t, cell("line", "SELECT mean(f) FROM m")).Cells[0].Reason)
	require.Equal(t, "it has no query", parse(t, map[string]any{"type": "line"}).Cells[0].Reason)
}

// TestConditionsAreNotIgnored: nothing is shown that the query does not select.
func TestConditionsAreNotIgnored(t *testing.T) {
	const filter = source + `|> filter(fn: (r) => r._measurement == "m" and r._field == "f") `
	const condition = "its query has the condition %q, which is not supported"
	const twice = "its query compares a with two values, which is not supported"
	for query, want := range map[string]string{
		filter + `|> filter(fn: (r) => r._value == "b")`:             fmt.Sprintf(condition, `r._value=="b"`),
		filter + `|> filter(fn: (r) => r._measurement == "n")`:       fmt.Sprintf(condition, `r._measurement=="n"`),
		filter + `|> filter(fn: (r) => r.a == "1" and (r.a == "2"))`: twice,
		`SELECT mean(f) FROM m WHERE a = 'b' AND a = 'c'`:            twice,
		`from(bucket: "b") |> range(start: -2h, stop: -1h)`:          "its query has a time that is not supported",
	} {
		require.Equal(t, want, parse(t, cell("table", query)).Cells[0].Reason)
	}
}

func TestCells(t *testing.T) {
	const query = `SELECT mean(f) FROM m GROUP BY time(1m)`
	low, left, large := cell("line", query), cell("line", query), cell("line-stacked", query)
	low["y"], low["name"] = 9, "low"
	left["x"], left["name"] = -4, strings.Repeat("ü", 200)
	large["x"], large["w"], large["h"] = 10, 1e300, 1e300
	large["axes"] = map[string]any{"y": map[string]any{"label": "ms", "prefix": "~", "suffix": " EUR"}}
	large["decimalPlaces"] = map[string]any{"isEnforced": true, "digits": 2}
	large["fieldOptions"] = []any{map[string]any{"internalName": "a", "displayName": "A", "visible": true},
		map[string]any{"internalName": "b", "displayName": "B", "visible": false}, map[string]any{"internalName": "c"}}
	d := parse(t, low, large, left)
	require.Equal(t, "Hotel", d.Name)
	require.Equal(t, "low", d.Cells[2].Name)
	require.Equal(t, strings.Repeat("ü", 126)+"…", d.Cells[0].Name)
	got := d.Cells[1]
	require.Equal(t, []int{10, 0, 2, 12}, []int{got.X, got.Y, got.W, got.H})
	require.Equal(t, []string{"ms", "~", " EUR"}, []string{got.Label, got.Prefix, got.Suffix})
	require.Equal(t, 2, got.Digits)
	require.Equal(t, -1, d.Cells[0].Digits)
	require.Equal(t, map[string]string{"a": "A", "b": ""}, got.Columns)
	require.Equal(t, chronograf.Line, got.Type)
	low["name"] = strings.Repeat("界", 100)
	require.Equal(t, strings.Repeat("界", 84)+"…", parse(t, low).Cells[0].Name)

	many := parse(t, make([]map[string]any, chronograf.MaxCells+7)...)
	require.Len(t, many.Cells, chronograf.MaxCells)
	require.Equal(t, 7, many.More)
}

func TestFiles(t *testing.T) {
	d, err := chronograf.Parse([]byte(`{"meta": {"chronografVersion": "1.8"}, "dashboard": {"name": "An export", "cells": []}}`))
	require.NoError(t, err)
	require.Equal(t, "An export", d.Name)
	for text, want := range map[string]string{
		"[]":              "it is not a dashboard of Chronograf: json: cannot unmarshal array",
		"{}":              "it is not a dashboard of Chronograf: it has no cells",
		`{"cells": null}`: "it is not a dashboard of Chronograf: it has no cells",
		`"` + strings.Repeat("a", chronograf.MaxBytes): "it is larger than 1048576 bytes",
	} {
		_, err := chronograf.Parse([]byte(text))
		require.ErrorContains(t, err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, query := range []string{
		source + `|> filter(fn: (r) => r._measurement == \"m\" and (r._field == \"f\")) |> aggregateWindow(every: 1m, fn: sum)`,
		`SELECT mean(f) FROM a.b.m WHERE time > now() - 1h GROUP BY time(:interval:), \"t\" FILL(null)`, `a(b: (((((`, `|>|>`, `\"`, `from()`,
	} {
		f.Add(fmt.Appendf(nil, `{"cells": [{"x": 1, "type": "line", "queries": [{"query": "%s"}]}]}`, query))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := chronograf.Parse(text)
		if err != nil {
			require.Nil(t, d)
			return
		}
		require.LessOrEqual(t, len(d.Cells), chronograf.MaxCells)
		for _, c := range d.Cells {
			require.NotEqual(t, c.Reason == "", len(c.Queries) == 0)
			require.LessOrEqual(t, c.X+c.W, 12)
			require.Positive(t, c.W)
			for _, q := range c.Queries {
				require.NotEmpty(t, q.Measurement)
				require.NotEmpty(t, q.Field)
				require.Contains(t, []string{"mean", "sum", "min", "max", "count", "last"}, q.Aggregate)
			}
		}
	})
}
