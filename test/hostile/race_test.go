//go:build race

package hostile

// memory is how many times the usual a process takes under the race detector.
const memory = 5
