package source

import (
	"context"
	"time"
)

// Measurers have the measurements that versions saved. They are a part of [Source].
type Measurers interface {
	// Measurements opens what versions of the same namespace have saved; end closes it. Where there
	// is no store, or the user has no right to it, the error is a [*RefusedError].
	Measurements(ctx context.Context, ref Ref) (m Measurements, end func(), err error)
}

// Measurements are those of one namespace. It may be used by several goroutines.
type Measurements interface {
	// Series returns the values that q selects, a series for each combination of its tags.
	Series(ctx context.Context, q MeasurementQuery) ([]Series, error)
}

// MeasurementQuery selects values of a field of measurements over time.
type MeasurementQuery struct {
	// Name is the measurements', Field the field whose numbers are aggregated.
	Name, Field string
	// Aggregate is how the values of an interval become one: mean, sum, min, max, count or last.
	Aggregate string
	// Span is the time, in intervals.
	Span
	// Tags are those that the measurements must have, By those for whose values there is a series
	// each.
	Tags map[string]string
	By   []string
}

// Series is the values of the measurements with the same tags.
type Series struct {
	Tags   map[string]string
	Points []Point
}

// Point is the value of an interval, which begins at Time.
type Point struct {
	Time  time.Time
	Value float64
}
