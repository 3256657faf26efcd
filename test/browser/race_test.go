//go:build race

package browser

// floodLines of about 100 bytes are 5 MB: with the race detector a run reads a megabyte a second. make test
// runs the test once more without it.
const floodLines = 50_000
