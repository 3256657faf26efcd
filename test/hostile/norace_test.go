//go:build !race

package hostile

const (
	memory = 1
	// waiting is how many clients do not read.
	waiting = 1000
)
