package cell_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/cell"
	"krt.dev/kn-krt/pkg/dashboard/chart"
	"krt.dev/kn-krt/pkg/dashboard/chronograf"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// saved responds to queries with what it has by aggregate, and keeps the queries.
type saved struct {
	series map[string][]source.Series
	asked  []source.MeasurementQuery
	err    error
}

func (s *saved) Series(_ context.Context, q source.MeasurementQuery) ([]source.Series, error) {
	s.asked = append(s.asked, q)
	var copied []source.Series
	for _, one := range s.series[q.Aggregate] {
		copied = append(copied, source.Series{Tags: one.Tags, Points: append([]source.Point(nil), one.Points...)})
	}
	return copied, s.err
}

var end = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func hour() source.Span {
	return source.Span{From: end.Add(-time.Hour), To: end, Step: 10 * time.Minute}
}

// of is a series with the node's tag, whose values follow each other every ten minutes.
func of(node string, values ...float64) source.Series {
	s := source.Series{Tags: map[string]string{"node": node}}
	for i, value := range values {
		if !math.IsNaN(value) {
			s.Points = append(s.Points, source.Point{Time: end.Add(-time.Hour + time.Duration(i)*10*time.Minute), Value: value})
		}
	}
	return s
}

func line(queries ...chronograf.Query) chronograf.Cell {
	return chronograf.Cell{Type: chronograf.Line, Digits: -1, Queries: queries}
}

var byNode = chronograf.Query{Measurement: "m", Field: "f", By: []string{"node"}, Aggregate: "mean"}

// The store's intervals begin at full ones: what a query asks for instead is said.
func TestOffset(t *testing.T) {
	moved := byNode
	moved.Step, moved.Offset = time.Hour, 90*time.Minute
	got := cell.Read(t.Context(), line(byNode, moved), "v1", hour(), &saved{})
	require.Zero(t, cell.Read(t.Context(), line(byNode), "v1", hour(), &saved{}).Offset)
	require.Equal(t, 10*time.Minute, got.Step)
	require.Zero(t, got.Offset, "of whole intervals")
	got = cell.Read(t.Context(), line(moved), "v1", hour(), &saved{})
	require.Equal(t, 30*time.Minute, got.Offset)
}

func TestLines(t *testing.T) {
	s := &saved{series: map[string][]source.Series{"mean": {of("b", 1, 2.00049, math.NaN(), 4), of("a", 100)}}}
	c := line(byNode)
	c.Suffix = " ms"
	got := cell.Read(t.Context(), c, "v1", hour(), s)
	require.Empty(t, got.Problem)
	require.Len(t, got.Lines, 2)
	says := func(l chart.Line) []string { return []string{l.Label, l.Last, l.Mean, l.Greatest} }
	require.Equal(t, []string{"a", "100 ms", "100 ms", "100 ms"}, says(got.Lines[0]))
	require.Equal(t, []string{"b", "4 ms", "2.333 ms", "4 ms"}, says(got.Lines[1]))
	require.Equal(t, 2, got.Lines[1].Number)
	require.Equal(t, []source.MeasurementQuery{{Name: "m", Field: "f", Aggregate: "mean", Span: hour(), By: []string{"node"},
		Tags: map[string]string{"version": "v1"}}}, s.asked)

	text, err := got.Plot()
	require.NoError(t, err)
	var plot struct {
		Times []int64
		Lines []struct {
			Label  string
			Values []*float64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &plot))
	require.Len(t, plot.Times, 7)
	require.Equal(t, end.Add(-time.Hour).Unix(), plot.Times[0])
	require.Equal(t, "b", plot.Lines[1].Label)
	require.Len(t, plot.Lines[1].Values, 7)
	require.Nil(t, plot.Lines[1].Values[2])
	require.InDelta(t, 4, *plot.Lines[1].Values[3], 0)
}

func TestTheTimeOfAQuery(t *testing.T) {
	span := func(over, step time.Duration) source.Span {
		return source.Span{From: end.Add(-over), To: end, Step: step}
	}
	for name, c := range map[string]struct {
		query chronograf.Query
		span  source.Span
	}{
		"its interval":      {chronograf.Query{Step: 5 * time.Minute}, span(time.Hour, 5*time.Minute)},
		"one that is short": {chronograf.Query{Step: time.Second}, span(time.Hour, 8*time.Second)},
		"its time":          {chronograf.Query{Over: 1000 * time.Second}, span(1000*time.Second, 2*time.Second)},
		"both":              {chronograf.Query{Over: time.Hour, Step: time.Minute}, span(time.Hour, time.Minute)},
		"ten years of it":   {chronograf.Query{Over: 3650 * 24 * time.Hour, Step: 24 * time.Hour}, span(3650*24*time.Hour, 8*24*time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			s := &saved{}
			got := cell.Read(t.Context(), line(c.query), "v1", hour(), s)
			require.Equal(t, c.span, s.asked[0].Span)
			require.Equal(t, c.span.Step, got.Step)
			require.Equal(t, c.query.Over, got.Over)
		})
	}
}

func TestTheVersionOfAQuery(t *testing.T) {
	s := &saved{}
	cell.Read(t.Context(), line(chronograf.Query{By: []string{"version"}}), "v1", hour(), s)
	cell.Read(t.Context(), line(chronograf.Query{Tags: map[string]string{"version": "v0"}}), "v1", hour(), s)
	require.Empty(t, s.asked[0].Tags)
	require.Equal(t, map[string]string{"version": "v0"}, s.asked[1].Tags)
}

func TestLinesAreBounded(t *testing.T) {
	s := &saved{series: map[string][]source.Series{}}
	for i := range 20 {
		s.series["mean"] = append(s.series["mean"], of(fmt.Sprintf("n%02d", i), float64(i)))
	}
	got := cell.Read(t.Context(), line(byNode), "v1", hour(), s)
	require.Len(t, got.Lines, 12)
	require.Equal(t, 8, got.More)
	require.Equal(t, "n08", got.Lines[0].Label, "those with the greatest values")
}

func TestNumbers(t *testing.T) {
	s := &saved{series: map[string][]source.Series{
		"count": {{Points: []source.Point{{Value: 3}, {Value: 4}}}}, "max": {{Points: []source.Point{{Value: 3}, {Value: 2}}}},
		"min": {{Points: []source.Point{{Value: 3}, {Value: 2}}}}, "last": {{Points: []source.Point{{Value: 3}, {Value: 2}}}},
		"sum": {{Points: []source.Point{{Value: 10}, {Value: 11}}}}, "mean": {of("a", 1, 2)},
	}}
	for aggregate, want := range map[string]string{"count": "7", "max": "3", "min": "2", "last": "2", "sum": "21", "mean": "3"} {
		c := chronograf.Cell{Type: chronograf.Stat, Digits: -1, Queries: []chronograf.Query{{Aggregate: aggregate, Whole: true}}}
		require.Equal(t, []cell.Value{{Text: want}}, cell.Read(t.Context(), c, "v1", hour(), s).Values, aggregate)
	}
	c := chronograf.Cell{Type: chronograf.Stat, Digits: 1, Prefix: "$", Queries: []chronograf.Query{{Aggregate: "mean"}}}
	require.Equal(t, []cell.Value{{Text: "$2.0"}}, cell.Read(t.Context(), c, "v1", hour(), s).Values, "of values over time the last one")
	require.Empty(t, cell.Read(t.Context(), c, "v1", hour(), &saved{}).Values)
}

func TestTable(t *testing.T) {
	s := &saved{series: map[string][]source.Series{"max": {of("b", 3), of("a", 1.23456)}, "min": {of("b", 2)}}}
	c := chronograf.Cell{Type: chronograf.Table, Digits: 2, Columns: map[string]string{"node": "Node", "hidden": ""}}
	c.Queries = []chronograf.Query{
		{Field: "f", By: []string{"node"}, Aggregate: "max", Whole: true, Label: "most"},
		{Field: "f", By: []string{"node"}, Aggregate: "min", Whole: true},
		{Field: "f", By: []string{"node"}, Aggregate: "max", Whole: true, Label: "hidden"},
	}
	got := cell.Read(t.Context(), c, "v1", hour(), s)
	require.Equal(t, []string{"Node", "most", "f"}, got.Heads)
	require.Equal(t, 1, got.Names)
	require.Equal(t, [][]string{{"a", "1.23", "–"}, {"b", "3.00", "2.00"}}, got.Rows)
	text, err := got.Plot()
	require.NoError(t, err)
	require.Empty(t, text)
}

func TestWhatCannotBeRead(t *testing.T) {
	s := &saved{err: errors.New("the store does not respond")}
	require.Equal(t, "the store does not respond", cell.Read(t.Context(), line(byNode), "v1", hour(), s).Problem)
	require.Empty(t, cell.Read(t.Context(), chronograf.Cell{Reason: "why"}, "v1", hour(), s).Problem)
	require.Len(t, s.asked, 1)
}
