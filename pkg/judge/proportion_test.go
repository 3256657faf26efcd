package judge

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// The exact bounds of Clopper and Pearson at 95 %, as R's binom.test has them.
func TestBoundsOfProportions(t *testing.T) {
	for _, one := range []struct {
		share       Share
		least, most float64
	}{
		{Share{0, 100}, 0, 0.036217},
		{Share{5, 100}, 0.016432, 0.112835},
		{Share{50, 100}, 0.398321, 0.601679},
		{Share{100, 100}, 0.963783, 1},
		{Share{1, 1}, 0.025, 1},
	} {
		require.InDelta(t, one.least, lower(one.share, 0.025), 1e-6, one.share)
		require.InDelta(t, one.most, upper(one.share, 0.025), 1e-6, one.share)
	}
}

// tail is P(X ≥ k) of a binomial distribution, as a sum.
func tail(k, n int64, p float64) float64 {
	sum := 0.0
	for i := k; i <= n; i++ {
		all, _ := math.Lgamma(float64(n + 1))
		in, _ := math.Lgamma(float64(i + 1))
		out, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(all - in - out + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

func TestBetaIsTheTailOfTheBinomialDistribution(t *testing.T) {
	for _, n := range []int64{1, 20, 1000} {
		for _, p := range []float64{0.001, 0.05, 0.5, 0.95} {
			for _, k := range []int64{1, n / 20, n / 2, n} {
				if k > 0 {
					require.InDelta(t, tail(k, n, p), fewest(k, n, p), 1e-9, "%d of %d at %v", k, n, p)
				}
			}
		}
	}
}

func TestBoundsAreFastAndFiniteForLargeCounts(t *testing.T) {
	s := Share{Part: 5e8, Total: 1e10}
	require.InDelta(t, 0.05, lower(s, 1e-6), 1e-4)
	require.InDelta(t, 0.05, upper(s, 1e-6), 1e-4)
}

// Two samples of the same proportion, or one within what is allowed, are rarely called different:
// exactly, by the sum over all outcomes, for rare and frequent events and unequal sizes.
func TestADifferenceByChanceIsRare(t *testing.T) {
	const level, limit = 0.01, 0.01
	for _, one := range []struct {
		base   float64
		na, nb int64
	}{
		{0.0001, 100, 1900}, {0.001, 100, 100}, {0.001, 100, 1900}, {0.02, 100, 300}, {0.02, 300, 300}, {0.2, 200, 200}, {0.5, 200, 100},
	} {
		wrong := 0.0
		for a := int64(0); a <= one.na; a++ {
			pa := tail(a, one.na, one.base+limit) - tail(a+1, one.na, one.base+limit)
			if pa < 1e-9 {
				continue
			}
			// The bound decreases with b: find the b below which a is called different.
			b := int64(0)
			for b <= one.nb && difference(Share{a, one.na}, Share{b, one.nb}, level) > limit {
				b++
			}
			wrong += pa * (1 - tail(b, one.nb, one.base))
		}
		require.LessOrEqual(t, wrong, level*1.2, "%+v", one)
	}
}
