//go:build race

package promptio

import (
	"errors"
	"syscall"
)

// The race detector knows by package syscall alone that what is read was written before.

func read(fd uintptr, data []byte) (int, syscall.Errno) { return result(syscall.Read(int(fd), data)) }

func write(fd uintptr, data []byte) (int, syscall.Errno) { return result(syscall.Write(int(fd), data)) }

func result(n int, err error) (int, syscall.Errno) {
	var number syscall.Errno
	_ = errors.As(err, &number) // it is of no other type
	return n, number
}
