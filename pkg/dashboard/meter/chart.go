package meter

import (
	"fmt"
	"math"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Chart returns the numbers of a version that are kept: since somebody looks at it, and of the
// last 15 minutes at most.
func (m *Meter) Chart(ref source.Ref, span source.Span) *source.Chart {
	c := &source.Chart{
		From:  "the entrypoint",
		Notes: []string{fmt.Sprintf("The numbers are read while this page is open, and kept for %d minutes.", int(Kept*Interval/time.Minute))},
	}
	lines := map[key]int{} // places in c.Lines
	for _, n := range m.past(ref) {
		if n.At.Before(span.From) || n.At.After(span.To) {
			continue
		}
		c.Times = append(c.Times, n.At)
		for name, w := range n.Workflows {
			addLoad(c, lines, key{"", name, ""}, w.Load)
			for node, own := range w.Nodes {
				addLoad(c, lines, key{"", name, node}, own.Load)
			}
		}
		for i := range c.Lines {
			fill(&c.Lines[i], len(c.Times))
		}
	}
	return c
}

// addLoad adds the values of a load at the chart's last time.
func addLoad(c *source.Chart, lines map[key]int, of key, l source.Load) {
	for measure, value := range map[source.Measure]float64{
		source.Requests: l.PerSecond, source.Errors: l.Errors, source.Median: orNone(l.P50), source.Slowest: orNone(l.P95),
	} {
		of.metric = string(measure)
		at, known := lines[of]
		if !known {
			at = len(c.Lines)
			lines[of] = at
			c.Lines = append(c.Lines, source.Line{Measure: measure, Workflow: of.workflow, Node: of.node})
		}
		line := &c.Lines[at]
		fill(line, len(c.Times)-1)
		line.Values = append(line.Values, value)
	}
}

// fill makes a line as long as the times are.
func fill(l *source.Line, length int) {
	for len(l.Values) < length {
		l.Values = append(l.Values, math.NaN())
	}
}

// orNone is a time in seconds, NaN if there was none.
func orNone(d time.Duration) float64 {
	if d == 0 {
		return math.NaN()
	}
	return d.Seconds()
}
