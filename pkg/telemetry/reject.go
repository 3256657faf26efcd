package telemetry

import (
	"regexp"
	"strconv"
	"strings"
)

// What a partial success begins and ends with as an error of OpenTelemetry's exporters, whose
// type is internal. Between them is the collector's message, which may be anything.
const partialBegin = "OTLP partial success: "

var partialEnd = regexp.MustCompile(`\((-?[0-9]+) spans rejected\)$`)

// rejected returns how many of n spans the collector did not accept when their export ended
// with err: all, unless err is nothing but a partial success (OTLP, "Partial Success"), which
// has the number. It is 0 for a warning.
func rejected(err error, n int) int {
	for {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			break
		}
		all := joined.Unwrap()
		if len(all) != 1 {
			return n // something else went wrong, too
		}
		err = all[0]
	}
	text := err.Error()
	end := partialEnd.FindStringSubmatch(text)
	if end == nil || !strings.HasPrefix(text, partialBegin) {
		return n
	}
	count, parseErr := strconv.ParseInt(end[1], 10, 64)
	if parseErr != nil {
		return n
	}
	return int(min(max(count, 0), int64(n)))
}
