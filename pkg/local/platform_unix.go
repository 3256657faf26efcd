//go:build unix && !linux

package local

import (
	"os"
	"syscall"
)

// attributes puts a child in a process group of its own. Only Linux kills a
// child when its parent dies: elsewhere `kill -9` of kn-krt leaves the nodes.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit cannot wait without reaping here.
func awaitExit(int) bool { return false }

// killGroup kills all processes in the group that pid leads.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// lock takes an exclusive lock on f that ends with this process.
func lock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
