package canary

import (
	"maps"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/judge"
)

// Reading is what the entrypoints of the published version have counted since they started.
type Reading struct {
	At time.Time
	// Pods has those that were read, by their UID.
	Pods map[string]Counts
	// Running has the UIDs of all pods that run, read or not; nil if that is not known.
	Running map[string]bool
}

// Counts are requests to a published version that has a canary.
type Counts struct {
	Published, Canary SideCounts
	// Fallbacks are requests that failed in the canary and were then served by the published version.
	Fallbacks int64
	// Equal and Compared are mirrored requests.
	Equal, Compared int64
}

// SideCounts are those that one version served. Durations are by the upper bound of their bucket.
type SideCounts struct {
	Requests, Failed int64
	Durations        map[float64]int64
}

// combine returns c + sign·b.
func (c Counts) combine(b Counts, sign int64) Counts {
	return Counts{
		c.Published.combine(b.Published, sign), c.Canary.combine(b.Canary, sign),
		c.Fallbacks + sign*b.Fallbacks, c.Equal + sign*b.Equal, c.Compared + sign*b.Compared,
	}
}

func (a SideCounts) combine(b SideCounts, sign int64) SideCounts {
	sum := SideCounts{a.Requests + sign*b.Requests, a.Failed + sign*b.Failed, map[float64]int64{}}
	for bound, count := range a.Durations {
		sum.Durations[bound] += count
	}
	for bound, count := range b.Durations {
		sum.Durations[bound] += sign * count
	}
	return sum
}

// less reports whether counts that only grow are fewer than before: their process has begun at zero again. That is not
// read from the time at which a process says that it started: it changes with the clock of its machine.
func (c Counts) less(b Counts) bool {
	return c.Published.less(b.Published) || c.Canary.less(b.Canary) || c.Fallbacks < b.Fallbacks ||
		c.Equal < b.Equal || c.Compared < b.Compared
}

func (a SideCounts) less(b SideCounts) bool {
	for bound, count := range b.Durations {
		if a.Durations[bound] < count {
			return true
		}
	}
	return a.Requests < b.Requests || a.Failed < b.Failed
}

// window is what was counted since a step began, in the processes that ran then and in those that
// started later.
type window struct {
	// before has the pods of which something may have been counted before the window, or is counted in ended; nil until
	// the first reading. All others have begun in the window: no clock says so, as those of machines differ.
	before map[string]bool
	// base is what each pod's process had counted when its share of the window began, last what it
	// had when it was last read.
	base, last map[string]Counts
	// ended is what processes that do not run any more have counted in the window.
	ended Counts
}

// newWindow begins a window. What was read last, if anything, is what it begins with.
func newWindow(last *Reading) *window {
	w := &window{base: map[string]Counts{}, last: map[string]Counts{}}
	if last != nil {
		w.before = maps.Clone(last.Running)
		for uid, c := range last.Pods {
			w.base[uid], w.last[uid] = c, c
		}
	}
	return w
}

// add adds a reading.
func (w *window) add(r *Reading) {
	if r.Running == nil {
		return
	}
	if w.before == nil {
		w.before = maps.Clone(r.Running)
	}
	for uid, now := range r.Pods {
		last, known := w.last[uid]
		switch {
		case !known && !w.before[uid]:
			w.base[uid] = Counts{}
		case !known: // it ran before, unread: what it has counted until now may be of before
			w.base[uid] = now
		case now.less(last):
			w.end(uid)
			w.base[uid] = Counts{}
		}
		w.last[uid] = now
	}
	for uid := range w.last {
		if !r.Running[uid] {
			w.end(uid)
		}
	}
}

// end keeps what a process has counted that does not run any more.
func (w *window) end(uid string) {
	w.ended = w.ended.combine(w.last[uid].combine(w.base[uid], -1), 1)
	w.before[uid] = true
	delete(w.base, uid)
	delete(w.last, uid)
}

// counts is what was counted in the window, in all processes.
func (w *window) counts() Counts {
	sum := w.ended
	for uid, last := range w.last {
		sum = sum.combine(last.combine(w.base[uid], -1), 1)
	}
	return sum
}

// judged returns the counts as they are judged. A request for which the published version had to
// step in is a failed one of the canary: a promoted canary would have nobody who steps in.
func (c Counts) judged(published, canary string) judge.Window {
	return judge.Window{
		Published: c.Published.side(published, 0),
		Canary:    c.Canary.side(canary, c.Fallbacks),
		Equal:     judge.Share{Part: c.Equal, Total: c.Compared},
	}
}

func (a SideCounts) side(version string, fallbacks int64) judge.Side {
	side := judge.Side{Version: version, Requests: judge.Share{Part: a.Failed + fallbacks, Total: a.Requests + fallbacks}}
	for _, bound := range slices.Sorted(maps.Keys(a.Durations)) {
		side.Durations = append(side.Durations, judge.Bucket{UpTo: bound, Count: a.Durations[bound]})
	}
	return side
}
