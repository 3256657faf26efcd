package prediction

import (
	"math"
	"time"

	"krt.dev/kn-krt/pkg/data/quality"
)

// Places in the scatter, which is a square.
const (
	scatterSize               = 432
	scatterLow, scatterHigh   = 56.0, 410.0 // of both axes; y grows downwards
	scatterTop, scatterBottom = 10.0, 364.0
)

// Scatter is predicted numbers over the true ones, and its table.
type Scatter struct {
	Width, Height            int
	Left, Right, Top, Bottom float64 // ends of the plot
	X, Y                     []Tick
	Dots                     []Dot
	Rows                     []ScatterRow
}

// Dot is one prediction, or several at the same place.
type Dot struct{ X, Y float64 }

// ScatterRow is one prediction in the table.
type ScatterRow struct {
	Date                   time.Time
	True, Predicted, Error string
}

// scatter is that of the samples; nil if there are none.
func scatter(samples []quality.Sample) *Scatter {
	if len(samples) == 0 {
		return nil
	}
	s := &Scatter{
		Width: scatterSize, Height: scatterSize - 22, Left: scatterLow, Right: scatterHigh, Top: scatterTop, Bottom: scatterBottom,
	}
	low, high := ends(samples)
	x := scale{low: low, high: high, from: scatterLow, to: scatterHigh}
	y := scale{low: low, high: high, from: scatterBottom, to: scatterTop}
	s.X, s.Y = x.ticks(6), y.ticks(6)
	seen := map[Dot]bool{}
	for _, one := range samples {
		dot := Dot{x.at(one.True), y.at(one.Predicted)}
		if !seen[dot] {
			s.Dots, seen[dot] = append(s.Dots, dot), true
		}
		s.Rows = append(s.Rows, ScatterRow{one.Date, number(one.True), number(one.Predicted), signed(one.Predicted - one.True)})
	}
	return s
}

// ends are those of both axes: one line, on which predictions are right, goes through the corners.
func ends(samples []quality.Sample) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, one := range samples {
		low, high = min(low, one.True, one.Predicted), max(high, one.True, one.Predicted)
	}
	margin := (high - low) / 20
	if margin == 0 {
		margin = max(math.Abs(high)/20, 0.5)
	}
	return low - margin, high + margin
}
