// Package cell reads what a cell of a bundle's dashboard shows, and prepares it for a page.
package cell

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/chronograf"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

const (
	// maxLines is how many lines a cell has, those with the greatest values; six colours and two
	// patterns tell them apart.
	maxLines = 12
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
	// intervals of its lines.
	Over, Step time.Duration
	// Lines are those of a chart, or of a table of values over time.
	Lines []Line
	// Values are those of a cell that shows numbers.
	Values []Value
	// Heads and Rows are a table, whose first columns are Names of what the values are of.
	Heads []string
	Rows  [][]string
	Names int
	// More is how many lines, values or rows are left out.
	More int

	from time.Time
}

// Line is a line of a chart, and what a table says of it.
type Line struct {
	Label                string
	Last, Mean, Greatest string
	// Number is that of its colour and pattern, from 1.
	Number int

	values []float64
	most   float64
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
	intervals := int(span.To.Sub(s.from)/span.Step) + 1
	for _, q := range s.Queries {
		series, err := r.from.Series(r.ctx, r.query(q, span))
		if err != nil {
			return err
		}
		for _, one := range series {
			l := Line{Label: s.label(q, one.Tags), values: slices.Repeat([]float64{math.NaN()}, intervals)}
			for _, p := range one.Points {
				if at := int(p.Time.Sub(s.from) / span.Step); at >= 0 && at < intervals && !p.Time.Before(s.from) {
					l.values[at] = p.Value
				}
			}
			s.Lines = append(s.Lines, s.sum(l))
		}
	}
	s.choose()
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

// sum computes what a table says of the line.
func (s *Shown) sum(l Line) Line {
	total, count, last := 0., 0, math.NaN()
	l.most = math.Inf(-1)
	for _, value := range l.values {
		if !math.IsNaN(value) {
			total, count, last, l.most = total+value, count+1, value, max(l.most, value)
		}
	}
	l.Last, l.Mean, l.Greatest = s.text(last), s.text(total/float64(count)), s.text(l.most)
	return l
}

// choose keeps the lines with the greatest values, in the order of their labels.
func (s *Shown) choose() {
	slices.SortStableFunc(s.Lines, func(a, b Line) int { return cmp.Compare(b.most, a.most) })
	s.More = max(len(s.Lines)-maxLines, 0)
	s.Lines = s.Lines[:len(s.Lines)-s.More]
	slices.SortStableFunc(s.Lines, func(a, b Line) int { return strings.Compare(a.Label, b.Label) })
	for i := range s.Lines {
		s.Lines[i].Number = i + 1
	}
}

// only removes the label of a number that has no other next to it.
func (s *Shown) only() {
	if len(s.Values) == 1 {
		s.Values[0].Label = ""
	}
}
