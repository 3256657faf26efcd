//go:build !race

package conformance_test

// callers is how many clients stream at once.
const callers = 1000
