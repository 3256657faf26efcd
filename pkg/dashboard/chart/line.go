package chart

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
)

// Line is a line, and what the table says of it.
type Line struct {
	Label                string
	Last, Mean, Greatest string
	// Number is that of the line's colour and pattern, from 1.
	Number int

	values []float64
	most   float64
}

// MaxLines is how many lines a chart has: those with the greatest values. Six colours and two
// patterns tell them apart.
const MaxLines = 12

// NewLine makes a line of values, NaN where nothing is known; text is a value with its unit.
func NewLine(label string, values []float64, text func(float64) string) Line {
	l := Line{Label: label, values: values, most: math.Inf(-1), Last: "–", Mean: "–", Greatest: "–"}
	sum, count, last := 0., 0, math.NaN()
	for _, value := range values {
		if !math.IsNaN(value) {
			sum, count, last, l.most = sum+value, count+1, value, max(l.most, value)
		}
	}
	if count > 0 {
		l.Last, l.Mean, l.Greatest = text(last), text(sum/float64(count)), text(l.most)
	}
	return l
}

// Choose keeps the lines with the greatest values, at most [MaxLines], in the order of their
// labels, and returns how many there are besides.
func Choose(lines []Line) (chosen []Line, more int) {
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(b.most, a.most) })
	more = max(len(lines)-MaxLines, 0)
	chosen = lines[:len(lines)-more]
	slices.SortStableFunc(chosen, func(a, b Line) int { return cmp.Compare(a.Label, b.Label) })
	for i := range chosen {
		chosen[i].Number = i + 1
	}
	return chosen, more
}

// MarshalJSON is the line for the page's script: values are null where nothing is known.
func (l Line) MarshalJSON() ([]byte, error) {
	out := struct {
		Label  string     `json:"label"`
		Values []*float64 `json:"values"`
	}{l.Label, make([]*float64, len(l.values))}
	for i, value := range l.values {
		if !math.IsNaN(value) && !math.IsInf(value, 0) {
			out.Values[i] = &value
		}
	}
	return json.Marshal(out)
}
