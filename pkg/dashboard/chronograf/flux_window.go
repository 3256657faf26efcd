package chronograf

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// window reads aggregateWindow(every: 1m, fn: mean).
func (f *flux) window(c call) error {
	switch every := join(c.args["every"]); every {
	case "autoInterval", "v.windowPeriod":
	default:
		step, ok := duration(every)
		if !ok || step < time.Second {
			return errors.New("its query has an interval that is not supported")
		}
		f.Step = step
	}
	if offset := join(c.args["offset"]); offset != "" && !f.offset(offset) {
		return errors.New("its query has an offset that is not supported")
	}
	for _, other := range []string{"period", "location"} {
		if len(c.args[other]) > 0 {
			return fmt.Errorf("its query has an aggregateWindow() with %s, which is not supported", other)
		}
	}
	if column := join(c.args["column"]); f.done || column != "" && column != `"_value"` {
		return errors.New("its query has an aggregateWindow() that is not supported")
	}
	return f.aggregate(join(c.args["fn"]))
}

// offset reads an offset of intervals, which may be negative.
func (f *flux) offset(text string) (ok bool) {
	if text == "0s" {
		return true
	}
	text, before := strings.CutPrefix(text, "-")
	if f.Offset, ok = duration(text); before {
		f.Offset = -f.Offset
	}
	return ok
}
