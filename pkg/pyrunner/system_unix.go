//go:build unix

package pyrunner

import (
	"os"
	"syscall"
)

// cancelSignal asks a worker to end its handler.
const cancelSignal = syscall.SIGUSR1

// ownFile opens a file that is not a symbolic link, without waiting for anything.
const ownFile = os.O_RDWR | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// connectedSockets returns the two ends of a stream, which no child process inherits.
func connectedSockets() (ends [2]uintptr, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return ends, err
	}
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		ends[i] = uintptr(fd)
	}
	return ends, nil
}

// connectedPipe returns the end of a pipe that is read and the one that is written, which no child process inherits.
func connectedPipe() (ends [2]uintptr, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		return ends, err
	}
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		ends[i] = uintptr(fd)
	}
	return ends, nil
}

// unblocked has reads and writes of a pipe's end be waited for by Go's runtime.
func unblocked(fd uintptr) error { return syscall.SetNonblock(int(fd), true) }

// flock locks f, or fails at once.
func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// passed is the control message that passes open files to another process.
func passed(fds ...int) []byte { return syscall.UnixRights(fds...) }
