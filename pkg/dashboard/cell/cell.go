// Package cell reads what a cell of a bundle's dashboard shows, and prepares it for a page.
package cell

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/chart"
	"krt.dev/kn-krt/pkg/dashboard/chronograf"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

const (
	// maxRows is how many rows a table has.
	maxRows = 100
	// maxIntervals is how many values a line has.
	maxIntervals = 500
)

// Shown is a cell with its values.
type Shown struct {
	chronograf.Cell
	// Problem is why the values could not be read.
	Problem string
	// Over is the time that the cell is of if it is not the page's; Step is the length of the
	// intervals of its lines, which begin at full ones: Offset is what a query asks for instead.
	Over, Step, Offset time.Duration
	// Lines are those of a chart, or of a table of values over time.
	Lines []chart.Line
	// Values are those of a cell that shows numbers.
	Values []Value
	// Heads and Rows are a table, whose first columns are Names of what the values are of.
	Heads []string
	Rows  [][]string
	Names int
	// More is how many lines, values or rows are left out.
	More int

	from      time.Time
	intervals int
}

// Value is a number with its label, which is empty if there is one number only.
type Value struct{ Label, Text string }

// Read reads the values of a cell of the version, from the time of the page.
func Read(ctx context.Context, c chronograf.Cell, version string, span source.Span, from source.Measurements) *Shown {
	s := &Shown{Cell: c}
	if c.Reason != "" {
		return s
	}
	r := reader{ctx: ctx, version: version, from: from, span: span}
	var err error
	if slices.ContainsFunc(c.Queries, func(q chronograf.Query) bool { return !q.Whole }) {
		err = s.lines(&r)
	} else {
		err = s.table(&r)
	}
	if err != nil {
		s.Problem = err.Error()
	}
	return s
}

// reader reads the queries of a cell.
type reader struct {
	ctx     context.Context // lives for one cell
	version string
	from    source.Measurements
	span    source.Span
}

// query is q for the store: of the version's measurements, unless q says of which.
func (r *reader) query(q chronograf.Query, span source.Span) source.MeasurementQuery {
	tags := map[string]string{}
	if _, given := q.Tags["version"]; !given && !slices.Contains(q.By, "version") {
		tags["version"] = r.version
	}
	for name, value := range q.Tags {
		tags[name] = value
	}
	return source.MeasurementQuery{Name: q.Measurement, Field: q.Field, Aggregate: q.Aggregate, Tags: tags, By: q.By, Span: span}
}

// spanOf is the time of q, in intervals of its length or, without one, the page's.
func (r *reader) spanOf(q chronograf.Query) source.Span {
	span := r.span
	if q.Over > 0 {
		span.From, span.Step = span.To.Add(-q.Over), 0
	}
	step := cmp.Or(q.Step, span.Step)
	if least := span.To.Sub(span.From) / maxIntervals; step < least {
		step = max(step, time.Second)
		step *= (least + step - 1) / step // a multiple, so that intervals contain whole ones
	}
	span.Step = step.Truncate(time.Second)
	return span
}

// lines reads values over time. The queries of a cell have one time: that of the first.
func (s *Shown) lines(r *reader) error {
	span := r.spanOf(s.Queries[0])
	s.Over, s.Step, s.from = s.Queries[0].Over, span.Step, span.From.Truncate(span.Step)
	s.intervals = int(span.To.Sub(s.from)/span.Step) + 1
	for _, q := range s.Queries {
		s.Offset = cmp.Or(s.Offset, q.Offset%span.Step)
		series, err := r.from.Series(r.ctx, r.query(q, span))
		if err != nil {
			return err
		}
		for _, one := range series {
			values := slices.Repeat([]float64{math.NaN()}, s.intervals)
			for _, p := range one.Points {
				if at := int(p.Time.Sub(s.from) / span.Step); at >= 0 && at < s.intervals && !p.Time.Before(s.from) {
					values[at] = p.Value
				}
			}
			s.Lines = append(s.Lines, chart.NewLine(s.label(q, one.Tags), values, s.text))
		}
	}
	s.Lines, s.More = chart.Choose(s.Lines)
	if s.Type == chronograf.Stat {
		for _, l := range s.Lines {
			s.Values = append(s.Values, Value{l.Label, l.Last})
		}
		s.only()
	}
	return nil
}

// label names a series by its tags, and by its query if there are several or it has no tags.
func (s *Shown) label(q chronograf.Query, tags map[string]string) string {
	var parts []string
	if len(s.Queries) > 1 || len(q.By) == 0 {
		name := cmp.Or(q.Label, q.Field)
		parts = append(parts, cmp.Or(s.Columns[name], name))
	}
	for _, tag := range q.By {
		if tags[tag] != "" {
			parts = append(parts, tags[tag])
		}
	}
	return strings.Join(parts, " · ")
}

// only removes the label of a number that has no other next to it.
func (s *Shown) only() {
	if len(s.Values) == 1 {
		s.Values[0].Label = ""
	}
}
