package measured

import (
	"context"
	"errors"
	"net/http"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/data"
)

// Saved are the measurements of a store.
type Saved struct{ Client *data.Client }

// Series implements [source.Measurements].
func (s Saved) Series(ctx context.Context, q source.MeasurementQuery) ([]source.Series, error) {
	found, err := s.Client.Chart(ctx, data.ChartQuery{
		Name: q.Name, Field: q.Field, Aggregate: q.Aggregate, From: q.From, To: q.To, Step: q.Step, Tags: q.Tags, By: q.By,
	})
	if err != nil {
		return nil, refused(err)
	}
	all := make([]source.Series, 0, len(found))
	for _, one := range found {
		series := source.Series{Tags: one.Tags}
		for _, p := range one.Points {
			if value, err := p.Value.Float64(); err == nil {
				series.Points = append(series.Points, source.Point{Time: p.Time, Value: value})
			}
		}
		if len(series.Points) > 0 {
			all = append(all, series)
		}
	}
	return all, nil
}

// refused is the error of a store that only forwards measurements.
func refused(err error) error {
	var failed *data.Error
	if errors.As(err, &failed) && failed.Status == http.StatusNotImplemented {
		const elsewhere = "The store forwards measurements to a database, which has charts of its own."
		return &source.RefusedError{Refusal: source.Unavailable, Text: elsewhere}
	}
	return err
}
