package chart

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestChartHasItsGreatestLines(t *testing.T) {
	c := Chart{}
	for i := range 40 {
		c.Lines = append(c.Lines, NewLine(fmt.Sprintf("node-%02d", i), []float64{float64(i)}, unit{size: 1}.text))
	}
	c.Lines, c.More = Choose(c.Lines)
	require.Equal(t, 28, c.More)
	require.Len(t, c.Lines, MaxLines)
	require.Equal(t, "node-28", c.Lines[0].Label)
	require.Equal(t, 12, c.Lines[11].Number)
	require.Equal(t, "–", NewLine("a", []float64{math.NaN()}, unit{size: 1}.text).Last)
}

// All values of a table have one unit, which its head names.
func TestTableHasOneUnit(t *testing.T) {
	for _, c := range []struct {
		measure source.Measure
		values  []float64
		unit    string
		want    []string
	}{
		{source.Requests, []float64{0, 12, .0033, 4321}, "/s", []string{"0", "12", "0.0033", "4.3k"}},
		{source.Errors, []float64{math.NaN(), 1e-9}, "/s", []string{"0", "<0.0001"}},
		{source.Median, []float64{.0005, .0123, math.NaN(), .2}, "ms", []string{"0.5", "12", "0", "200"}},
		{source.Slowest, []float64{.034, 1.5}, "s", []string{"0.034", "1.5"}},
		{source.Slowest, []float64{.0009, .000_000_5}, "µs", []string{"900", "0.5"}},
		{source.Slowest, []float64{300, 6}, "min", []string{"5", "0.1"}},
		{source.Slowest, []float64{math.NaN(), 0}, "ms", []string{"0", "0"}},
		{source.Pods, []float64{1, 2.5}, "", []string{"1", "2.5"}},
	} {
		u := unitOf(c.measure, [][]float64{nil, c.values})
		require.Equal(t, c.unit, u.name, c.values)
		for i, want := range c.want {
			require.Equal(t, want, u.text(c.values[i]), c)
		}
	}
}
