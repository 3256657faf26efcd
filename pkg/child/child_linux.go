package child

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes puts a child in a process group of its own, so that Ctrl-C in the
// terminal reaches only us and the child is killed together with whatever it has
// started; and has the kernel kill it when we die, however we die.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when the child has ended, without reaping it. It reports
// false when it cannot wait so.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}
