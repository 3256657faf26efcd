// Package measured makes a chart of the measurements that entrypoints save in the store by
// themselves, as the original platform did.
package measured

import (
	"context"
	"math"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/entrypoint/measure"
)

// What a chart of measurements does not have.
const (
	noFailures = "Only requests that succeeded are measured in the store: failures are not shown."
	noShares   = "Each request is measured: instead of the percentiles, the mean and the maximum are shown."
)

// aggregates are the fields of which the lines are made.
type aggregate struct {
	measure          source.Measure
	field, aggregate string
	scale            float64
}

// Chart returns what the store has of a version. Its error is a [*source.RefusedError] where the
// store only forwards measurements.
func Chart(ctx context.Context, from *data.Client, version string, span source.Span) (*source.Chart, error) {
	c := &source.Chart{From: "the store", Notes: []string{noFailures}, Times: span.Times()}
	perSecond := 1 / span.Step.Seconds()
	aggregated := []aggregate{
		{source.Requests, measure.FieldCount, "sum", perSecond},
		{source.Median, measure.FieldMedian, "mean", 1e-3},
		{source.Slowest, measure.FieldP95, "max", 1e-3},
	}
	r := reader{Saved{from}, version, span, c}
	if err := r.read(ctx, aggregated); err != nil || len(c.Lines) > 0 {
		return c, err
	}
	err := r.read(ctx, []aggregate{
		{source.Requests, measure.FieldElapsed, "count", perSecond},
		{source.Median, measure.FieldElapsed, "mean", 1e-3},
		{source.Slowest, measure.FieldElapsed, "max", 1e-3},
	})
	if len(c.Lines) > 0 {
		c.Notes = append(c.Notes, noShares)
	}
	return c, err
}

// reader reads the lines of one chart.
type reader struct {
	from    Saved
	version string
	span    source.Span
	chart   *source.Chart
}

// read reads the aggregates of workflows and of nodes.
func (r reader) read(ctx context.Context, all []aggregate) error {
	for _, a := range all {
		for name, by := range map[string][]string{measure.NameWorkflow: {"workflow"}, measure.NameNode: {"workflow", "node"}} {
			series, err := r.from.Series(ctx, source.MeasurementQuery{
				Name: name, Field: a.field, Aggregate: a.aggregate, Span: r.span, Tags: map[string]string{"version": r.version}, By: by,
			})
			if err != nil {
				return err
			}
			for _, s := range series {
				r.add(a, s)
			}
		}
	}
	return nil
}

// add adds the line of a series, unless all it has is of the interval that has not ended yet.
// Intervals are named by their ends.
func (r reader) add(a aggregate, s source.Series) {
	at := make(map[time.Time]float64, len(s.Points))
	for _, p := range s.Points {
		at[p.Time.Add(r.span.Step).UTC()] = p.Value * a.scale
	}
	line := source.Line{Measure: a.measure, Workflow: s.Tags["workflow"], Node: s.Tags["node"], Values: make([]float64, len(r.chart.Times))}
	for i, end := range r.chart.Times {
		value, known := at[end.UTC()]
		if !known {
			value = math.NaN()
		}
		line.Values[i] = value
	}
	if !slices.ContainsFunc(line.Values, func(v float64) bool { return !math.IsNaN(v) }) {
		return
	}
	r.chart.Lines = append(r.chart.Lines, line)
}
