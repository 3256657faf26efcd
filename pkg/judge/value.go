package judge

import (
	"fmt"
	"math"
	"strconv"
)

const (
	// hop is what forwarding a request may cost: it is no fault of the canary, whose requests make
	// one hop more than the published version's. In seconds.
	hop = 0.005
	// slowest is the quantile that is judged.
	slowest = 0.95
	// shown is the level of each side of the intervals in sentences: together they are of 95 %.
	shown = 0.025
)

func (l Limits) errorRatio(w Window, looks *look) Value {
	p, c := w.Published.Requests, w.Canary.Requests
	v := Value{Name: ErrorRatio, Published: percent(p.ratio()), Canary: percent(c.ratio())}
	most := p.ratio() + *l.ErrorRatio
	v.Limit = percent(most)
	if few := l.Enough(w); few != "" {
		return v.lacking(few, w)
	}
	level, due := looks.due(min(p.Total, c.Total))
	looks.bad = looks.bad || due && difference(c, p, level) > *l.ErrorRatio
	v.Verdict = verdict(looks.bad, c.ratio() <= most)
	return v.saying(func() string {
		return fmt.Sprintf("%s of %s failed (%s), and %s of %s (%s); the canary's ratio may be %s higher",
			parts(c, "requests"), w.Canary.Version, interval(c), parts(p, ""), w.Published.Version, interval(p), points(*l.ErrorRatio))
	})
}

func (l Limits) p95(w Window, looks *look) Value {
	p, c := w.Published.Durations, w.Canary.Durations
	allowed := func(of float64) float64 { return of*(1+*l.P95) + hop }
	had, has := p.Quantile(slowest), c.Quantile(slowest)
	v := Value{Name: P95, Published: seconds(had), Canary: seconds(has), Limit: seconds(allowed(had))}
	few := scarce("durations of", l.MinRequests, w, func(s Side) int64 { return s.Durations.Total() })
	if few != "" {
		return v.lacking(few, w)
	}
	if level, due := looks.due(min(p.Total(), c.Total())); due {
		// Both bounds hold but with the probability of level.
		looks.bad = c.atLeast(level/2) > allowed(p.atMost(level/2))
	}
	v.Verdict = verdict(looks.bad, has <= allowed(had))
	return v.saying(func() string {
		return fmt.Sprintf("95 %% of the requests took at most %s in %s (interval %s) and %s in %s (%s); the canary may take %s",
			seconds(has), w.Canary.Version, between(c), seconds(had), w.Published.Version, between(p), seconds(allowed(had)))
	})
}

func (l Limits) accuracy(w Window, looks *look) Value {
	p, c := w.Published.Correct, w.Canary.Correct
	v := Value{Name: AccuracyOf, Published: percent(p.ratio()), Canary: percent(c.ratio())}
	least := p.ratio() - l.Accuracy.Decrease
	v.Limit = percent(least)
	few := scarce("predictions with a true value of", l.Accuracy.MinSamples, w, func(s Side) int64 { return s.Correct.Total })
	if few != "" {
		return v.lacking(few, w)
	}
	level, due := looks.due(min(p.Total, c.Total))
	looks.bad = looks.bad || due && difference(p, c, level) > l.Accuracy.Decrease
	v.Verdict = verdict(looks.bad, c.ratio() >= least)
	return v.saying(func() string {
		return fmt.Sprintf("%s of %s were right (%s), and %s of %s (%s); the canary's accuracy may be %s lower",
			parts(c, "predictions"), w.Canary.Version, interval(c), parts(p, ""), w.Published.Version, interval(p), points(l.Accuracy.Decrease))
	})
}

func (l Limits) agreement(w Window, looks *look) Value {
	s := w.Equal
	v := Value{Name: AgreeOf, Canary: percent(s.ratio()), Limit: percent(l.Agreement.Min)}
	if s.Total < l.Agreement.MinSamples {
		return v.lacking(fmt.Sprintf("%s of %s pairs of responses compared", count(s.Total), count(l.Agreement.MinSamples)), w)
	}
	level, due := looks.due(s.Total)
	looks.bad = looks.bad || due && upper(s, level) < l.Agreement.Min
	v.Verdict = verdict(looks.bad, s.ratio() >= l.Agreement.Min)
	return v.saying(func() string {
		return fmt.Sprintf("%s to mirrored requests are equal (%s); it must be %s",
			parts(s, "responses"), interval(s), percent(l.Agreement.Min))
	})
}

// query judges a number as it is: how much chance is in it is known to its query only. Like all
// values it waits for the requests of both sides.
func (l Limits) query(q Query, w Window) Value {
	v := Value{Name: q.Name, Limit: bounds(q)}
	if number, known := w.Queries[q.Name]; known && w.Away[q.Name] == "" {
		v.Canary = plain(number)
	}
	if few := l.Enough(w); few != "" {
		return v.lacking(few, w)
	}
	number, known := w.Queries[q.Name]
	if !known || w.Away[q.Name] != "" {
		return v.lacking("the query has no result yet", w)
	}
	good := (q.Min == nil || number >= *q.Min) && (q.Max == nil || number <= *q.Max)
	v.Verdict = verdict(!good, good)
	return v.saying(func() string {
		return fmt.Sprintf("the query's result is %s; it must be %s", plain(number), v.Limit)
	})
}

func verdict(bad, within bool) Verdict {
	switch {
	case bad:
		return Bad
	case within:
		return Good
	}
	return Waiting
}

// lacking is the value while samples are missing: because there are too few of them, or because
// they cannot be read.
func (v Value) lacking(few string, w Window) Value {
	v.Scarce = true
	if why := w.Away[v.Name]; why != "" {
		few += "; " + why
	}
	v.sentence = func() string { return few }
	return v
}

// saying is the value with its sentence, which is made when somebody reads it: its intervals are
// expensive. To that of a value beyond its limit it adds that this may be chance.
func (v Value) saying(sentence func() string) Value {
	v.sentence = sentence
	if v.Verdict == Waiting {
		v.sentence = func() string { return sentence() + "; that is beyond the limit, and may be chance" }
	}
	return v
}

// scarce says how many samples a side has of those that it needs; empty if both have enough. The
// canary is named first, because it is the one that lacks them most often.
func scarce(what string, least int64, w Window, of func(Side) int64) string {
	for _, side := range []Side{w.Canary, w.Published} {
		if n := of(side); n < least {
			return fmt.Sprintf("%s of %s %s %s", count(n), count(least), what, side.Version)
		}
	}
	return ""
}

func bounds(q Query) string {
	switch {
	case q.Min != nil && q.Max != nil:
		return fmt.Sprintf("from %s to %s", plain(*q.Min), plain(*q.Max))
	case q.Min != nil:
		return "at least " + plain(*q.Min)
	case q.Max != nil:
		return "at most " + plain(*q.Max)
	}
	return ""
}

// parts is "12 of 240 requests".
func parts(s Share, noun string) string {
	text := count(s.Part) + " of " + count(s.Total)
	if noun != "" {
		text += " " + noun
	}
	return text
}

// interval is a share with its interval of 95 %: "5 %, interval 2.61 to 8.57 %".
func interval(s Share) string {
	return fmt.Sprintf("%s, interval %s to %s", percent(s.ratio()), hundredths(lower(s, shown)), percent(upper(s, shown)))
}

func between(h Histogram) string {
	most := h.atMost(shown)
	if math.IsInf(most, 1) {
		return seconds(h.atLeast(shown)) + " or more"
	}
	return seconds(h.atLeast(shown)) + " to " + seconds(most)
}

// percent is a share as text: "1.25 %"; empty if there is none.
func percent(share float64) string {
	if math.IsNaN(share) {
		return ""
	}
	return hundredths(share) + " %"
}

// points is a difference of shares.
func points(difference float64) string {
	if text := hundredths(difference); text != "1" {
		return text + " percentage points"
	}
	return "1 percentage point"
}

func hundredths(share float64) string { return plain(math.Round(share*1e4) / 100) }

func plain(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }

// seconds is a duration with three significant digits: "12.3 ms", "1.25 s"; empty if there is none.
func seconds(of float64) string {
	if math.IsNaN(of) {
		return ""
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(of, 'g', 3, 64), 64)
	if rounded < 1 {
		return plain(math.Round(rounded*1e6)/1e3) + " ms"
	}
	return plain(rounded) + " s"
}

// count is a number with commas between thousands.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
