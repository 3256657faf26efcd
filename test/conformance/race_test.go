//go:build race

package conformance_test

// callers is how many clients stream at once: with the race detector, the processes take too long to
// connect as many as otherwise.
const callers = 250
