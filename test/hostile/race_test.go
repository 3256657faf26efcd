//go:build race

package hostile

const (
	// memory is how many times the usual a process takes under the race detector.
	memory = 5
	// waiting is how many clients do not read: as many as otherwise take minutes of CPU.
	waiting = 250
)
