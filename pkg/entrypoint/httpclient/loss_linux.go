package httpclient

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setLossTime has a connection end when what was sent over it is not acknowledged for that long, as
// where the machine beyond is gone; 0 leaves it to the system, which tries for a quarter of an hour.
func setLossTime(fd uintptr, limit time.Duration) error {
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
}

// LimitLoss returns the Control of a [net.Dialer] whose connections end when what was sent is not
// acknowledged for limit, as where the machine beyond is gone. Other systems than Linux decide themselves.
func LimitLoss(limit time.Duration) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) { failed = setLossTime(fd, limit) }); err != nil {
			return err
		}
		return failed
	}
}
