package judge

import (
	"math"
	"sort"
)

// Histogram has how many durations are in each bucket, in the order of their bounds.
type Histogram []Bucket

// Bucket counts durations above the bound of the bucket before it, up to its own, in seconds.
type Bucket struct {
	UpTo  float64
	Count int64
}

// Total is how many durations there are.
func (h Histogram) Total() int64 {
	var n int64
	for _, b := range h {
		n += b.Count
	}
	return n
}

// Quantile is the duration that a share of all do not exceed, in seconds: within its bucket, as if
// its durations were evenly spread. It is NaN if there are none.
func (h Histogram) Quantile(share float64) float64 {
	rank := share * float64(h.Total())
	below, from := 0.0, 0.0
	for _, b := range h {
		if count := float64(b.Count); count > 0 && below+count >= rank {
			if math.IsInf(b.UpTo, 1) {
				return from
			}
			return from + (b.UpTo-from)*(rank-below)/count
		}
		below += float64(b.Count)
		from = b.UpTo
	}
	return math.NaN()
}

// at returns the bounds of the bucket with the rank-th smallest duration.
func (h Histogram) at(rank int64) (from, to float64) {
	for _, b := range h {
		if rank <= b.Count {
			return from, b.UpTo
		}
		rank -= b.Count
		from = b.UpTo
	}
	return from, math.Inf(1)
}

// atLeast is a bound, in seconds, below which the 95th percentile of what the durations are a sample
// of is with the probability of level at most. Of n samples the number below the percentile is
// binomial, so it is the r-th smallest one for the largest r that is that improbable; and as its
// place in its bucket is not known, the lower bound of the bucket. Zero says nothing.
func (h Histogram) atLeast(level float64) float64 {
	n := h.Total()
	// P(fewer than r of n below the quantile) ≤ level
	r := int64(sort.Search(int(n)+1, func(r int) bool { return r > 0 && 1-fewest(int64(r), n, slowest) > level })) - 1
	if r < 1 {
		return 0
	}
	from, _ := h.at(r)
	return from
}

// atMost is a bound above which the 95th percentile is with the probability of level at most; infinite if
// there are too few samples to say.
func (h Histogram) atMost(level float64) float64 {
	n := h.Total()
	r := int64(sort.Search(int(n)+1, func(r int) bool { return r > 0 && fewest(int64(r), n, slowest) <= level }))
	if r > n {
		return math.Inf(1)
	}
	_, to := h.at(r)
	return to
}

// fewest is the probability that at least r of n trials succeed, each with the probability share.
func fewest(r, n int64, share float64) float64 {
	if r <= 0 {
		return 1
	}
	return beta(float64(r), float64(n-r+1), share)
}
