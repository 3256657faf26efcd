package measure

import (
	"math/rand/v2"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/runner/store"
)

const (
	// maxSample is how many times of a series are kept for its percentiles.
	maxSample = 512
	// maxSeries limits the series of an interval.
	maxSeries = 1024
)

// sums are the series of an interval, by points without a request's own values.
type sums map[point]*sum

// sum is a series of an interval.
type sum struct {
	count            int
	elapsed, waiting time.Duration
	least, most      time.Duration
	// sample is all times, or of more than maxSample a random choice in which each is
	// as likely as any other.
	sample []time.Duration
}

func (s sums) add(p point) {
	key := point{version: p.version, workflow: p.workflow, node: p.node, from: p.from}
	of := s[key]
	if of == nil {
		if len(s) == maxSeries {
			return
		}
		of = &sum{least: p.elapsed}
		s[key] = of
	}
	of.count++
	of.elapsed += p.elapsed
	of.waiting += p.waiting
	of.least, of.most = min(of.least, p.elapsed), max(of.most, p.elapsed)
	if len(of.sample) < maxSample {
		of.sample = append(of.sample, p.elapsed)
	} else if at := rand.IntN(of.count); at < maxSample {
		of.sample[at] = p.elapsed
	}
}

// measurement is that of the interval which ended at the given time.
func (s *sum) measurement(key point, at time.Time) store.Measurement {
	slices.Sort(s.sample)
	count := time.Duration(s.count)
	fields := map[string]any{
		FieldCount: s.count, FieldElapsed: milliseconds(s.elapsed / count),
		FieldLeast: milliseconds(s.least), FieldMost: milliseconds(s.most),
		FieldMedian: milliseconds(s.percentile(50)), FieldP95: milliseconds(s.percentile(95)),
	}
	return key.name(store.Measurement{Fields: fields, Time: at}, s.waiting/count)
}

// percentile returns the least time that at least so many of a hundred do not exceed. The
// sample is sorted.
func (s *sum) percentile(of int) time.Duration {
	return s.sample[(len(s.sample)*of+99)/100-1]
}
