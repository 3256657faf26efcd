//go:build unix && !linux

package promptio

import (
	"errors"
	"syscall"
)

// Quiet reports whether nothing can be read from a socket that does not block: neither bytes nor its end.
func Quiet(fd uintptr) bool {
	var b [1]byte
	_, err := syscall.Read(int(fd), b[:])
	return errors.Is(err, syscall.EAGAIN)
}
