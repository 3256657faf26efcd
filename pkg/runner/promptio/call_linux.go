//go:build !race

package promptio

import (
	"syscall"
	"unsafe"
)

func read(fd uintptr, data []byte) (int, syscall.Errno) { return call(syscall.SYS_READ, fd, data) }

func write(fd uintptr, data []byte) (int, syscall.Errno) { return call(syscall.SYS_WRITE, fd, data) }

// call makes a system call without the scheduler's knowledge.
func call(number, fd uintptr, data []byte) (int, syscall.Errno) {
	//nolint:gosec // data is kept alive by this expression alone
	n, _, err := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)))
	return int(n), err
}
