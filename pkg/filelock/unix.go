//go:build unix

package filelock

import (
	"errors"
	"os"
	"syscall"
)

// Take takes the lock of f, which is held until f is closed or the process ends, or returns [ErrTaken]
// at once.
func Take(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrTaken
	}
	return err
}
