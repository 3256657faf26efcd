package local

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes puts a child in a process group of its own, so that Ctrl-C in the
// terminal reaches only us (we stop the nodes in order) and so that a node is
// killed together with whatever it has started. Pdeathsig makes the kernel kill
// the child when we die, however we die: see [launcher] for its catch.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when the child has ended, without reaping it: until it is
// reaped its process group's id cannot be given to another. It reports false
// when it cannot wait so.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

// killGroup kills all processes in the group that pid leads.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// lock takes an exclusive lock on f that ends with this process; it reports
// false when another process holds it.
func lock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
