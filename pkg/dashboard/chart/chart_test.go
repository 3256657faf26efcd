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
		c.Lines = append(c.Lines, newLine(fmt.Sprintf("node-%02d", i), source.Line{Measure: source.Pods, Values: []float64{float64(i)}}))
	}
	c.Lines, c.More = Choose(c.Lines)
	require.Equal(t, 28, c.More)
	require.Len(t, c.Lines, MaxLines)
	require.Equal(t, "node-28", c.Lines[0].Label)
	require.Equal(t, 12, c.Lines[11].Number)
	require.Equal(t, "–", newLine("a", source.Line{Values: []float64{math.NaN()}}).Last)
	require.Equal(t, "0", amount(source.Requests, 0))
}
