package prediction

import (
	"math"
	"slices"
	"time"
)

// Tick is a mark of an axis.
type Tick struct {
	// At is its place in the chart.
	At   float64
	Text string
}

// steps returns about n round numbers from low to high, which differ by at least least.
func steps(low, high, least float64, n int) []float64 {
	raw := (high - low) / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * unit
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= raw {
			step = m * unit
			break
		}
	}
	step = max(step, least)
	var found []float64
	for i := math.Ceil(low / step); i*step <= high && len(found) < 3*n; i++ {
		found = append(found, i*step)
	}
	return found
}

// scale maps values from low to high to places.
type scale struct {
	low, high float64 // values
	from, to  float64 // places
	least     float64 // between two ticks
}

func (s scale) at(v float64) float64 {
	return round(s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from))
}

func (s scale) ticks(n int) []Tick {
	var ticks []Tick
	for _, v := range steps(s.low, s.high, s.least, n) {
		ticks = append(ticks, Tick{At: s.at(v), Text: number(v)})
	}
	return ticks
}

// round keeps places short.
func round(f float64) float64 { return math.Round(f*10) / 10 }

// timeTicks are about six marks on an axis of time, at whole hours or days.
func timeTicks(r Range, place func(time.Time) float64) []Tick {
	length := r.To.Sub(r.From)
	all := []time.Duration{
		time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
		48 * time.Hour, Week, 2 * Week, 30 * 24 * time.Hour, 91 * 24 * time.Hour, 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour,
	}
	i := slices.IndexFunc(all, func(d time.Duration) bool { return length/d <= 7 })
	if i < 0 {
		i = len(all) - 1
	}
	layout := "Jan 2"
	switch {
	case all[i] < 24*time.Hour && length <= 24*time.Hour:
		layout = "15:04"
	case all[i] < 24*time.Hour:
		layout = "Jan 2 15:04"
	case all[i] > Week:
		layout = "2006-01-02"
	}
	var ticks []Tick
	at := r.From.Truncate(all[i])
	for ; at.Before(r.To) && len(ticks) < 20; at = at.Add(all[i]) {
		if !at.Before(r.From) {
			ticks = append(ticks, Tick{At: place(at), Text: at.Format(layout)})
		}
	}
	return ticks
}
