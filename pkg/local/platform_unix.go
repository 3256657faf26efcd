//go:build unix

package local

import (
	"os"
	"syscall"
)

// lock takes an exclusive lock on f that ends with this process; it reports
// false when another process holds it.
func lock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
