package pyrunner

import (
	"errors"
	"os"
	"syscall"
)

// Windows has neither socket pairs nor files that are passed on: Python nodes run in WSL there, and on
// clusters. The program itself is built, because it packs, creates and observes versions.

const (
	cancelSignal = syscall.SIGTERM
	ownFile      = os.O_RDWR
)

var errWindows = errors.New("Python nodes do not run on Windows itself: use WSL") //nolint:staticcheck // a name begins it

func connectedSockets() (ends [2]uintptr, err error) { return ends, errWindows }

func connectedPipe() (ends [2]uintptr, err error) { return ends, errWindows }

func unblocked(uintptr) error { return errWindows }

func flock(*os.File) error { return nil }

func passed(...int) []byte { return nil }
