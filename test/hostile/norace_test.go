//go:build !race

package hostile

const memory = 1
