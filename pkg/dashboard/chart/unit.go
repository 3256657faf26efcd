package chart

import (
	"math"

	"krt.dev/kn-krt/pkg/dashboard/picture"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// unit is what all values of a chart's table are shown in, so that they compare at a glance: its
// head names it.
type unit struct {
	name string
	// size is how much one is in the unit of the measure.
	size float64
}

// unitOf is the unit in which the greatest of the values is a number from 1, if there is one.
func unitOf(m source.Measure, lines [][]float64) unit {
	switch m {
	case source.Requests, source.Errors:
		return unit{"/s", 1}
	case source.Pods:
		return unit{"", 1}
	case source.Median, source.Slowest:
	}
	most := 0.0
	for _, values := range lines {
		for _, value := range values {
			if value > most { // not if it is NaN
				most = value
			}
		}
	}
	switch {
	case most >= 120:
		return unit{"min", 60}
	case most >= 1:
		return unit{"s", 1}
	case most >= 1e-3 || most <= 0:
		return unit{"ms", 1e-3}
	}
	return unit{"µs", 1e-6}
}

// text is a value without its unit.
func (u unit) text(value float64) string {
	if !(value > 0) || math.IsInf(value, 0) {
		return "0"
	}
	return picture.Number(value / u.size)
}
