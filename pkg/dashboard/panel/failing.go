package panel

import (
	"fmt"
	"math"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/picture"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Failing says how many requests a node has failed in the time that its numbers are of, in a few
// words and as a sentence. Both are empty if it has failed none, or that is not known.
func Failing(numbers *source.NodeNumbers, over time.Duration) (short, long string) {
	if numbers == nil || !(numbers.Errors > 0) || over <= 0 {
		return "", ""
	}
	failed := max(1, math.Round(numbers.Errors*over.Seconds()))
	all := max(failed, math.Round(numbers.PerSecond*over.Seconds()))
	last := picture.Duration(over.Round(time.Second))
	if over.Round(time.Second) == time.Minute {
		last = "minute"
	}
	short = fmt.Sprintf("%.0f of %.0f failed", failed, all)
	return short, fmt.Sprintf("%.0f of %.0f requests failed in the last %s", failed, all, last)
}
