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

// Spaced is Duration with a no-break space before the unit, as pages have it.
func Spaced(d time.Duration) string {
	const space = "\u00a0"
	if d < time.Second {
		return Milliseconds(d) + space + "ms"
	}
	return fmt.Sprintf("%.2f%ss", d.Seconds(), space)
}

// Duration is Milliseconds with the unit.
func Duration(d time.Duration) string {
	if d < time.Second {
		return Milliseconds(d) + "ms"
	}
	return Milliseconds(d)
}
