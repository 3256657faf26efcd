package legible

import "fmt"

// Bytes is a number of bytes for people: "812 B", "34.5 KiB".
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, "KiB"
	for _, next := range []string{"MiB", "GiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, next
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// Count is a number with its noun: "1 error", "2 errors", "3 entries".
func Count(n int, singular string) string {
	switch {
	case n == 1:
		return "1 " + singular
	case singular[len(singular)-1] == 'y':
		return fmt.Sprintf("%d %sies", n, singular[:len(singular)-1])
	default:
		return fmt.Sprintf("%d %ss", n, singular)
	}
}
