package legible

import (
	"fmt"
	"time"
)

// Milliseconds returns d in milliseconds without their unit, as in a list of times; from a
// second on in seconds with it.
func Milliseconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2fs", d.Seconds())
}

// Duration is Milliseconds with the unit.
func Duration(d time.Duration) string {
	if d < time.Second {
		return Milliseconds(d) + "ms"
	}
	return Milliseconds(d)
}
