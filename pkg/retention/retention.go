// Package retention is how long the store keeps what nodes save. The controller checks
// the settings that say so, and the store carries them out.
package retention

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Policy is how long each kind of data is kept; 0 means forever. The age of a measurement
// and of a prediction is that of its time, the age of a document that of its saving,
// of a dead letter that of the failure.
type Policy struct {
	Measurements, Predictions, Documents, DeadLetters time.Duration
}

// Bounds of a period.
const (
	Day   = 24 * time.Hour
	least = time.Hour
	most  = 36500 * Day
)

var form = regexp.MustCompile(`^([1-9][0-9]{0,6})([hdw])$`)

// Parse reads a period: a number of hours, days or weeks, such as "30d", or "forever",
// which is 0. It is an hour to a hundred years.
func Parse(text string) (time.Duration, error) {
	if text == "forever" {
		return 0, nil
	}
	if parts := form.FindStringSubmatch(text); parts != nil {
		n, _ := strconv.Atoi(parts[1]) // at most seven digits
		unit := map[string]time.Duration{"h": time.Hour, "d": Day, "w": 7 * Day}[parts[2]]
		if period := time.Duration(n) * unit; time.Duration(n) <= most/unit && period >= least {
			return period, nil
		}
	}
	return 0, fmt.Errorf(`%.40q is not a period such as "30d", "12h" or "8w", nor "forever"`, text)
}

// Settings are the keys of config-krt with the periods, in the order of the kinds.
func Settings() []Setting {
	return []Setting{
		{"retention-measurements", "measurements", "forever", func(p *Policy) *time.Duration { return &p.Measurements }},
		{"retention-predictions", "predictions", "forever", func(p *Policy) *time.Duration { return &p.Predictions }},
		{"retention-documents", "documents", "forever", func(p *Policy) *time.Duration { return &p.Documents }},
		{"retention-dead-letters", "dead letters", "30d", func(p *Policy) *time.Duration { return &p.DeadLetters }},
	}
}

// Default is the policy of a store for which nothing is set.
func Default() (p Policy) {
	for _, setting := range Settings() {
		*setting.Of(&p), _ = Parse(setting.Default) // a test parses them
	}
	return p
}

// Setting is one of these keys.
type Setting struct {
	// Name is the key, and Kind the data that it is about.
	Name, Kind string
	// Default is the period of a store for which it is not set.
	Default string
	// Of is where a policy has its period.
	Of func(*Policy) *time.Duration
}
