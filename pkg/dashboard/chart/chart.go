// Package chart makes charts of numbers over time: which lines are drawn, what the table below says
// of them, and the JSON that a page's script draws.
package chart

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Charts are the charts of a version.
type Charts struct {
	// From names where the numbers come from, Notes say what is missing.
	From  string
	Notes []string
	All   []Chart

	times []time.Time
}

// Chart is a measure of workflows or nodes.
type Chart struct {
	ID, Title string
	Measure   source.Measure
	// Unit is that of the values in the table; empty if they are counts.
	Unit  string
	Lines []Line
	// More is how many lines there are besides those that are shown.
	More int
}

// Choice is what charts are of: all workflows, or with the name of one that and its nodes, or with
// the name of a node too that node alone.
type Choice struct {
	*source.Version
	Workflow, Node string
}

// Steps are the nodes of the chosen workflow.
func (c Choice) Steps() []string {
	if at := slices.IndexFunc(c.Workflows, func(w source.Workflow) bool { return w.Name == c.Workflow }); at >= 0 {
		return c.Workflows[at].Nodes
	}
	return nil
}

// New makes the charts of what was chosen. A measure that nothing is known of has none.
func New(of *source.Chart, choice Choice) *Charts {
	all := &Charts{From: of.From, Notes: of.Notes, times: of.Times}
	for _, c := range []Chart{
		{Measure: source.Requests, Title: "Requests per second"},
		{Measure: source.Errors, Title: "Failures per second"},
		{Measure: source.Median, Title: "Median duration (p50: 50 % within)"},
		{Measure: source.Slowest, Title: "95th percentile of the duration (p95: 95 % within)"},
		{Measure: source.Pods, Title: "Pods"},
	} {
		c.ID = "chart-" + string(c.Measure)
		c.draw(of.Lines, choice)
		if len(c.Lines) > 0 {
			all.All = append(all.All, c)
		}
	}
	return all
}

// draw adds those of the lines that are of the chart and were chosen.
func (c *Chart) draw(lines []source.Line, choice Choice) {
	var all [][]float64
	var labels []string
	for _, l := range lines {
		if label, shown := choice.label(l); shown && l.Measure == c.Measure {
			all, labels = append(all, l.Values), append(labels, label)
		}
	}
	u := unitOf(c.Measure, all)
	c.Unit = u.name
	for i, values := range all {
		c.Lines = append(c.Lines, NewLine(labels[i], values, u.text))
	}
	c.Lines, c.More = Choose(c.Lines)
}

// label is the name of a line, if it is one of those that were chosen: the workflows, or one of
// them with its nodes, or a node.
func (c Choice) label(l source.Line) (label string, shown bool) {
	switch {
	case l.Measure == source.Pods:
		known := slices.ContainsFunc(c.Nodes, func(n source.Node) bool { return n.Name == l.Node })
		return l.Node, known && (c.Workflow == "" || slices.Contains(c.Steps(), l.Node)) && (c.Node == "" || c.Node == l.Node)
	case !slices.ContainsFunc(c.Workflows, func(w source.Workflow) bool { return w.Name == l.Workflow }):
		return "", false // of a version before, or nobody's
	case c.Workflow == "":
		return l.Workflow, l.Node == ""
	case l.Workflow != c.Workflow:
		return "", false
	case l.Node == "":
		return "the workflow", c.Node == ""
	}
	return l.Node, slices.Contains(c.Steps(), l.Node) && (c.Node == "" || c.Node == l.Node)
}

// chartJSON is a chart for the page's script.
type chartJSON struct {
	ID      string         `json:"id"`
	Measure source.Measure `json:"measure"`
	Lines   []Line         `json:"lines"`
}

// WriteJSON writes the charts for the page's script: times are seconds since 1970, values are null
// where nothing is known.
func (c *Charts) WriteJSON(to io.Writer) error {
	out := struct {
		From   string      `json:"from"`
		Notes  []string    `json:"notes,omitempty"`
		Times  []int64     `json:"times"`
		Charts []chartJSON `json:"charts"`
	}{From: c.From, Notes: c.Notes, Times: make([]int64, len(c.times)), Charts: make([]chartJSON, len(c.All))}
	for i, t := range c.times {
		out.Times[i] = t.Unix()
	}
	for i, chart := range c.All {
		out.Charts[i] = chartJSON{chart.ID, chart.Measure, chart.Lines}
	}
	return json.NewEncoder(to).Encode(out)
}
