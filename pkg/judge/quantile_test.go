package judge

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Buckets are those of krt_traffic_request_seconds: they grow by 1.2.
func histogramOf(durations ...float64) Histogram {
	var h Histogram
	for bound := 0.0005; bound < 600; bound *= 1.2 {
		h = append(h, Bucket{UpTo: bound})
	}
	h = append(h, Bucket{UpTo: math.Inf(1)})
	for _, d := range durations {
		for i := range h {
			if d <= h[i].UpTo {
				h[i].Count++
				break
			}
		}
	}
	return h
}

func TestQuantile(t *testing.T) {
	even := Histogram{{0.1, 50}, {0.2, 50}, {0.3, 0}, {math.Inf(1), 0}}
	require.InDelta(t, 0.19, even.Quantile(0.95), 1e-9)
	require.InDelta(t, 0.1, even.Quantile(0.5), 1e-9)
	require.InDelta(t, 0.3, Histogram{{0.3, 1}, {math.Inf(1), 9}}.Quantile(0.95), 1e-9, "beyond the buckets")
	require.True(t, math.IsNaN(Histogram{{0.3, 0}}.Quantile(0.95)))
}

func TestBoundsOfAQuantile(t *testing.T) {
	var all Histogram // a bucket for each of 1000 durations
	for i := range 1000 {
		all = append(all, Bucket{UpTo: float64(i + 1), Count: 1})
	}
	// P(Bin(1000, .95) < 936) = 0.0216, < 937: 0.0292; P(≥ 964) = 0.0231, ≥ 963: 0.0328.
	require.InDelta(t, 935, all.atLeast(0.025), 0)
	require.InDelta(t, 964, all.atMost(0.025), 0)
	few := Histogram{{1, 20}}
	require.True(t, math.IsInf(few.atMost(0.01), 1), "20 samples say nothing about how slow the slowest are")
	require.InDelta(t, 0, Histogram(nil).atLeast(0.01), 0)
	require.True(t, math.IsInf(Histogram(nil).atMost(0.01), 1))
}

func TestBoundsHoldTheQuantile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const runs, n, level = 2000, 100, 0.025
	truth := 0.02 * math.Exp(0.5*1.6449)
	low, high := 0, 0
	for range runs {
		durations := make([]float64, n)
		for i := range durations {
			durations[i] = 0.02 * math.Exp(0.5*random.NormFloat64())
		}
		h := histogramOf(durations...)
		if h.atLeast(level) > truth {
			low++
		}
		if h.atMost(level) < truth {
			high++
		}
	}
	require.LessOrEqual(t, low, runs/40+20)
	require.LessOrEqual(t, high, runs/40+20)
}
