//go:build race

package localrun

// raceFlags build kn-krt with the race detector when the test has it.
var raceFlags = []string{"-race"}
