package traffic

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// limitLoss has a connection end when what was sent over it is not acknowledged for lossTime, as
// where the machine beyond is gone.
func limitLoss(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(lossTime.Milliseconds()))
	})
	return errors.Join(err, failed)
}
