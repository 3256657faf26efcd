//go:build !race

package chain

// racing is whether the race detector watches.
const racing = false
