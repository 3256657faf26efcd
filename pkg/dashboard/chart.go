package dashboard

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/picture"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// chartView is a chart: a measure of workflows or nodes.
type chartView struct {
	ID, Title string
	Measure   source.Measure
	Lines     []lineView
	// More is how many lines there are besides those that are shown.
	More int
}

// lineView is a line, and what the table says of it.
type lineView struct {
	Label                string
	Last, Mean, Greatest string
	// Number is that of the line's colour and pattern, from 1.
	Number int

	values []float64
	most   float64
}

// maxLines is how many lines a chart has: those with the greatest values. Six colours and two
// patterns tell them apart.
const maxLines = 12

// charts are those of the chosen workflow and node.
func (v *metricsView) charts(of *source.Chart) (all []chartView) {
	for _, c := range []chartView{
		{Measure: source.Requests, Title: "Requests a second"},
		{Measure: source.Errors, Title: "Failures a second"},
		{Measure: source.Median, Title: "50 % within"},
		{Measure: source.Slowest, Title: "95 % within"},
		{Measure: source.Pods, Title: "Pods"},
	} {
		c.ID = "chart-" + string(c.Measure)
		for _, l := range of.Lines {
			if label, shown := v.label(l); shown && l.Measure == c.Measure {
				c.Lines = append(c.Lines, newLineView(label, l))
			}
		}
		if len(c.Lines) > 0 {
			c.choose()
			all = append(all, c)
		}
	}
	return all
}

// label is the name of a line, if it is one of those that were chosen: the workflows, or one of
// them with its nodes, or a node.
func (v *metricsView) label(l source.Line) (label string, shown bool) {
	switch {
	case l.Measure == source.Pods:
		known := slices.ContainsFunc(v.Nodes, func(n source.Node) bool { return n.Name == l.Node })
		return l.Node, known && (v.Workflow == "" || slices.Contains(v.Steps, l.Node)) && (v.Node == "" || v.Node == l.Node)
	case !slices.ContainsFunc(v.Workflows, func(w source.Workflow) bool { return w.Name == l.Workflow }):
		return "", false // of a version before, or nobody's
	case v.Workflow == "":
		return l.Workflow, l.Node == ""
	case l.Workflow != v.Workflow:
		return "", false
	case l.Node == "":
		return "the workflow", v.Node == ""
	}
	return l.Node, slices.Contains(v.Steps, l.Node) && (v.Node == "" || v.Node == l.Node)
}

func newLineView(label string, l source.Line) lineView {
	out := lineView{Label: label, values: l.Values, Last: "–", Mean: "–", Greatest: "–"}
	sum, count, last := 0., 0, math.NaN()
	for _, value := range l.Values {
		if !math.IsNaN(value) {
			sum, count, last, out.most = sum+value, count+1, value, max(out.most, value)
		}
	}
	if count > 0 {
		out.Last, out.Mean, out.Greatest = amount(l.Measure, last), amount(l.Measure, sum/float64(count)), amount(l.Measure, out.most)
	}
	return out
}

// amount is a value with its unit.
func amount(m source.Measure, value float64) string {
	text := ""
	switch m {
	case source.Requests, source.Errors:
		text = picture.Rate(value)
	case source.Median, source.Slowest:
		text = picture.Duration(time.Duration(value * float64(time.Second)))
	case source.Pods:
		text = strconv.FormatFloat(math.Round(value*10)/10, 'f', -1, 64)
	}
	if text == "" {
		return "0"
	}
	return text
}

// choose keeps the lines with the greatest values, in the order of their names.
func (c *chartView) choose() {
	slices.SortStableFunc(c.Lines, func(a, b lineView) int {
		switch {
		case a.most > b.most:
			return -1
		case a.most < b.most:
			return 1
		}
		return 0
	})
	c.More = max(len(c.Lines)-maxLines, 0)
	c.Lines = c.Lines[:len(c.Lines)-c.More]
	slices.SortFunc(c.Lines, func(a, b lineView) int {
		if a.Label < b.Label {
			return -1
		}
		return 1
	})
	for i := range c.Lines {
		c.Lines[i].Number = i + 1
	}
}

// chartJSON is a chart for the page's script.
type chartJSON struct {
	ID      string         `json:"id"`
	Measure source.Measure `json:"measure"`
	Lines   []lineJSON     `json:"lines"`
}

type lineJSON struct {
	Label  string `json:"label"`
	Values []*num `json:"values"`
}

// num is a number that JSON can have.
type num float64

// metricsData serves the charts of the page as JSON: times are seconds since 1970, values are null
// where nothing is known.
func metricsData(w http.ResponseWriter, r *request) error {
	v, err := newMetricsView(r)
	if err != nil {
		return err
	}
	if v.Problem != "" {
		return fmt.Errorf("%s", v.Problem)
	}
	out := struct {
		From   string      `json:"from"`
		Notes  []string    `json:"notes,omitempty"`
		Times  []int64     `json:"times"`
		Charts []chartJSON `json:"charts"`
	}{From: v.From, Notes: v.Notes, Times: make([]int64, len(v.times)), Charts: make([]chartJSON, len(v.Charts))}
	for i, t := range v.times {
		out.Times[i] = t.Unix()
	}
	for i, c := range v.Charts {
		out.Charts[i] = chartJSON{ID: c.ID, Measure: c.Measure}
		for _, l := range c.Lines {
			out.Charts[i].Lines = append(out.Charts[i].Lines, lineJSON{l.Label, numbersOf(l.values)})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(out)
}

func numbersOf(values []float64) []*num {
	out := make([]*num, len(values))
	for i, value := range values {
		if !math.IsNaN(value) && !math.IsInf(value, 0) {
			n := num(value)
			out[i] = &n
		}
	}
	return out
}
