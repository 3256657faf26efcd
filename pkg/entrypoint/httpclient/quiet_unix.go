//go:build unix

package httpclient

import (
	"errors"
	"syscall"
)

// quiet reports whether nothing can be read from a socket that does not block: neither bytes nor its end.
func quiet(fd uintptr) bool {
	var b [1]byte
	_, err := syscall.Read(int(fd), b[:])
	return errors.Is(err, syscall.EAGAIN)
}
