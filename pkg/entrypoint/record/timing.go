package record

import (
	"strconv"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Timing is the value of the header Server-Timing: how long the handler of each step ran, and how long all
// of it took, in milliseconds.
func Timing(steps event.Steps, nodes []string, begin, end time.Time) string {
	var room [4]Step
	text := make([]byte, 0, 96)
	for _, step := range Read(room[:0], steps, nodes, begin, end) {
		text = appendTiming(append(text, step.Node...), step.Run)
		text = append(text, ", "...)
	}
	return string(appendTiming(append(text, "total"...), end.Sub(begin)))
}

func appendTiming(text []byte, d time.Duration) []byte {
	return strconv.AppendFloat(append(text, ";dur="...), float64(d.Microseconds())/1000, 'f', -1, 64)
}
