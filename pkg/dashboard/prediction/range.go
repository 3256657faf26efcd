package prediction

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Range is the time that is shown: From ≤ date < To.
type Range struct {
	From, To time.Time
	// Name is that of a range that ends now, or "all"; empty for one that was given by its ends.
	Name string
}

// Named is a range that can be chosen by its name, with its text for people.
type Named struct {
	Name, Text string
	length     time.Duration
}

// Ranges are those that can be chosen. They end now, but for that of all predictions, if there are any.
func Ranges() []Named {
	return []Named{
		{"24h", "24 hours", 24 * time.Hour}, {"7d", "7 days", Week}, {"30d", "30 days", 30 * 24 * time.Hour},
		{"90d", "90 days", 90 * 24 * time.Hour}, {"all", "All", Week},
	}
}

// inputLayout is that of <input type="datetime-local">, which has no zone: it is UTC here.
const inputLayout = "2006-01-02T15:04"

// ParseRange reads the parameters "range", "from" and "to" of a page: a range of [Ranges], or both
// ends as RFC 3339 or a local time. Without any it is a week. The first and last date are those of
// all predictions, for "all".
func ParseRange(values url.Values, now, first, last time.Time) (Range, error) {
	name, from, to := values.Get("range"), values.Get("from"), values.Get("to")
	if name == "" && (from != "" || to != "") {
		return between(from, to, now)
	}
	name, now = cmp.Or(name, "7d"), now.UTC()
	var known []string
	for _, one := range Ranges() {
		if known = append(known, one.Name); one.Name != name {
			continue
		}
		if name == "all" && !first.IsZero() {
			return Range{From: first.UTC(), To: last.UTC().Add(time.Hour), Name: name}, nil // dates are known to the hour
		}
		return Range{From: now.Add(-one.length), To: now, Name: name}, nil
	}
	return Range{}, fmt.Errorf("range: %.40q is not one of %s", name, strings.Join(known, ", "))
}

// between reads the ends of a range; without an end it is now, without a beginning a week before.
func between(from, to string, now time.Time) (r Range, err error) {
	r.To = now.UTC()
	if to != "" {
		if r.To, err = parseTime("to", to); err != nil {
			return r, err
		}
	}
	r.From = r.To.Add(-Week)
	if from != "" {
		if r.From, err = parseTime("from", from); err != nil {
			return r, err
		}
	}
	if !r.From.Before(r.To) {
		return r, fmt.Errorf("from: %.40q is not before to", from)
	}
	return r, nil
}

func parseTime(name, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, inputLayout, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: %.40q is not a time such as 2024-05-06T07:08Z", name, text)
}

// Per is the length of the intervals: "hour" for at most a week, else "day".
func (r Range) Per() string {
	if r.step() == time.Hour {
		return "hour"
	}
	return "day"
}

func (r Range) step() time.Duration {
	if r.To.Sub(r.From) <= Week {
		return time.Hour
	}
	return 24 * time.Hour
}

// Input are the ends as an <input type="datetime-local"> has them.
func (r Range) Input() (from, to string) { return r.From.Format(inputLayout), r.To.Format(inputLayout) }
