package cell

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/chart"
	"krt.dev/kn-krt/pkg/dashboard/chronograf"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// row is the values of a combination of tags, one for each query.
type row struct {
	tags   map[string]string
	values []float64
}

// table reads one value for the whole time of each query and combination of tags.
func (s *Shown) table(r *reader) error {
	rows := map[string]*row{}
	var tags []string
	for i, q := range s.Queries {
		s.Over = q.Over
		series, err := r.whole(q)
		if err != nil {
			return err
		}
		for _, tag := range q.By {
			if !slices.Contains(tags, tag) {
				tags = append(tags, tag)
			}
		}
		for _, one := range series {
			key := keyOf(q.By, one.Tags)
			if rows[key] == nil {
				rows[key] = &row{one.Tags, slices.Repeat([]float64{math.NaN()}, len(s.Queries))}
			}
			rows[key].values[i] = one.Points[0].Value
		}
	}
	all := make([]*row, 0, len(rows))
	for _, one := range rows {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *row) int { return strings.Compare(keyOf(tags, a.tags), keyOf(tags, b.tags)) })
	s.More = max(len(all)-maxRows, 0)
	all = all[:len(all)-s.More]
	if s.Type == chronograf.Stat {
		s.numbers(all)
		return nil
	}
	s.cells(tags, all)
	return nil
}

func keyOf(tags []string, values map[string]string) string {
	parts := make([]string, len(tags))
	for i, tag := range tags {
		parts[i] = values[tag]
	}
	return strings.Join(parts, "\x00")
}

// numbers are the values of a cell without a table.
func (s *Shown) numbers(rows []*row) {
	for _, one := range rows {
		for i, q := range s.Queries {
			s.Values = append(s.Values, Value{s.label(q, one.tags), s.text(one.values[i])})
		}
	}
	s.only()
	extra := max(len(s.Values)-chart.MaxLines, 0)
	s.Values, s.More = s.Values[:len(s.Values)-extra], s.More+extra
}

// cells are the table: a column for each tag and query that the file does not hide.
func (s *Shown) cells(tags []string, rows []*row) {
	heading := func(name string) (string, bool) {
		given, renamed := s.Columns[name]
		return cmp.Or(given, name), !renamed || given != ""
	}
	s.Rows = make([][]string, len(rows))
	for _, tag := range tags {
		name, shown := heading(tag)
		if !shown {
			continue
		}
		s.Heads = append(s.Heads, name)
		for i, one := range rows {
			s.Rows[i] = append(s.Rows[i], one.tags[tag])
		}
	}
	s.Names = len(s.Heads)
	for q, query := range s.Queries {
		name, shown := heading(cmp.Or(query.Label, query.Field))
		if !shown {
			continue
		}
		s.Heads = append(s.Heads, name)
		for i, one := range rows {
			s.Rows[i] = append(s.Rows[i], s.text(one.values[q]))
		}
	}
}

// whole reads one value for the whole time. The store's intervals begin at multiples of their
// length, so that there are two of such a length: what they have is added up.
func (r *reader) whole(q chronograf.Query) ([]source.Series, error) {
	span := r.spanOf(q)
	span.Step = max(span.To.Sub(span.From).Truncate(time.Second)+time.Second, time.Second)
	if q.Aggregate != "mean" {
		all, err := r.from.Series(r.ctx, r.query(q, span))
		for i := range all {
			all[i].Points = []source.Point{{Value: add(q.Aggregate, all[i].Points)}}
		}
		return all, err
	}
	// The mean of two means is not that of all values.
	q.Aggregate = "sum"
	sums, err := r.whole(q)
	if err != nil {
		return nil, err
	}
	q.Aggregate = "count"
	counts, err := r.whole(q)
	if err != nil {
		return nil, err
	}
	count := map[string]float64{}
	for _, one := range counts {
		count[keyOf(q.By, one.Tags)] = one.Points[0].Value
	}
	for _, one := range sums {
		one.Points[0].Value /= count[keyOf(q.By, one.Tags)]
	}
	return sums, nil
}

// add makes one value of those of intervals.
func add(aggregate string, points []source.Point) float64 {
	if len(points) == 0 {
		return math.NaN()
	}
	value := points[0].Value
	for _, p := range points[1:] {
		switch aggregate {
		case "min":
			value = min(value, p.Value)
		case "max":
			value = max(value, p.Value)
		case "last":
			value = p.Value
		default:
			value += p.Value
		}
	}
	return value
}

// text is a value with as many digits as the file says.
func (s *Shown) text(value float64) string {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "–"
	}
	digits := s.Digits
	if digits < 0 {
		digits = -1
		if scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(value)))); value != math.Trunc(value) && !math.IsInf(scale, 0) {
			value = math.Round(value*scale) / scale // four digits
		}
	}
	return s.Prefix + strconv.FormatFloat(value, 'f', digits, 64) + s.Suffix
}

// plot is what the page's script draws.
type plot struct {
	Bars   bool         `json:"bars"`
	Label  string       `json:"label"`
	Times  []int64      `json:"times"` // seconds since 1970
	Lines  []chart.Line `json:"lines"`
	Prefix string       `json:"prefix"`
	Suffix string       `json:"suffix"`
}

// Plot is the chart of the cell as JSON; empty if it has none.
func (s *Shown) Plot() (string, error) {
	if len(s.Lines) == 0 || s.Type != chronograf.Line && s.Type != chronograf.Bar {
		return "", nil
	}
	p := plot{Bars: s.Type == chronograf.Bar, Label: s.Label, Lines: s.Lines, Prefix: s.Prefix, Suffix: s.Suffix}
	for i := range s.intervals {
		p.Times = append(p.Times, s.from.Add(time.Duration(i)*s.Step).Unix())
	}
	text, err := json.Marshal(p)
	return string(text), err
}
