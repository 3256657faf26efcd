//go:build !race

package browser

// floodLines of about 100 bytes are 100 MB.
const floodLines = 1_000_000
