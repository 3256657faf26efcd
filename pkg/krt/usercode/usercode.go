// Package usercode reads the code of a bundle's nodes, without running any of it: which generation of the
// original's runners it is written for, what its modules take from outside, where the sources of a
// program are.
package usercode

import (
	"io/fs"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// maxCode is how much of a file of code is read, in bytes.
const maxCode = 1 << 20

// Read reads a file of code, at most 1 MiB of it.
func Read(bundle fs.FS, name string) ([]byte, error) {
	return untrusted.ReadFile(bundle, name, maxCode)
}
