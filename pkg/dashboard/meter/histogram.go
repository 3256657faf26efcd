package meter

import (
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// maxBuckets bounds the buckets of a histogram. The entrypoint's have at most 100.
const maxBuckets = 1 << 12

// histogram is a native histogram of seconds: bucket i has the values above base^(i-1) up to
// base^i, and base is 2^(2^-schema) (Prometheus, "Native histograms").
type histogram struct {
	schema  int32
	zero    float64 // values too small for a bucket
	buckets map[int]float64
	count   float64
}

var errHistogram = errors.New("a histogram is not a native one of Prometheus")

// newHistogram reads a histogram.
func newHistogram(from *dto.Histogram) (histogram, error) {
	if from == nil || from.Schema == nil {
		return histogram{}, errHistogram
	}
	h := histogram{
		schema: from.GetSchema(), zero: float64(from.GetZeroCount()), count: float64(from.GetSampleCount()), buckets: map[int]float64{},
	}
	if h.schema < -4 || h.schema > 8 {
		return h, errHistogram
	}
	deltas := from.GetPositiveDelta()
	if len(deltas) > maxBuckets {
		return h, errHistogram
	}
	at, count := 0, int64(0)
	for _, span := range from.GetPositiveSpan() {
		at += int(span.GetOffset())
		if span.GetLength() > uint32(len(deltas)) {
			return h, errHistogram
		}
		for _, delta := range deltas[:span.GetLength()] {
			count += delta
			h.buckets[at] = float64(count)
			at++
		}
		deltas = deltas[span.GetLength():]
	}
	return h, nil
}

// coarser is h with a lower schema: each bucket has those of 2^(h.schema-schema).
func (h histogram) coarser(schema int32) histogram {
	if schema >= h.schema {
		return h
	}
	shift := h.schema - schema
	out := histogram{schema: schema, zero: h.zero, count: h.count, buckets: make(map[int]float64, len(h.buckets))}
	for i, n := range h.buckets {
		out.buckets[(i-1)>>shift+1] += n
	}
	return out
}

// since is what h has counted since before. A histogram that was cleared in between begins at 0.
func (h histogram) since(before histogram) histogram {
	if before.count > h.count || len(before.buckets) == 0 && before.zero == 0 {
		return h
	}
	schema := min(h.schema, before.schema)
	h, before = h.coarser(schema), before.coarser(schema)
	out := histogram{schema: schema, zero: max(h.zero-before.zero, 0), count: h.count - before.count, buckets: map[int]float64{}}
	for i, n := range h.buckets {
		if n -= before.buckets[i]; n > 0 {
			out.buckets[i] = n
		}
	}
	return out
}

// plus is the sum of both.
func (h histogram) plus(other histogram) histogram {
	if h.buckets == nil {
		return other
	}
	schema := min(h.schema, other.schema)
	h, other = h.coarser(schema), other.coarser(schema)
	out := histogram{schema: schema, zero: h.zero + other.zero, count: h.count + other.count, buckets: maps.Clone(h.buckets)}
	for i, n := range other.buckets {
		out.buckets[i] += n
	}
	return out
}

// quantile is the value that this share of the values did not exceed, 0 if there are none. In
// a bucket, values are taken to be spread evenly over its logarithm.
func (h histogram) quantile(share float64) time.Duration {
	total := h.zero
	for _, n := range h.buckets {
		total += n
	}
	rank, passed := share*total, h.zero
	if total == 0 || rank <= passed {
		return 0
	}
	for _, i := range slices.Sorted(maps.Keys(h.buckets)) {
		n := h.buckets[i]
		if passed+n < rank || n == 0 {
			passed += n
			continue
		}
		within := (rank - passed) / n
		exponent := (float64(i-1) + within) * math.Exp2(-float64(h.schema))
		return time.Duration(min(math.Exp2(exponent), math.MaxInt32) * float64(time.Second))
	}
	return 0
}
