//go:build !linux

package sqlite

// Volume returns 0: it is known on Linux only.
func Volume(string) (free, size int64) { return 0, 0 }
