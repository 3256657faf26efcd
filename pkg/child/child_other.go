//go:build !unix

package child

import (
	"os"
	"syscall"
)

// Nodes run on Linux, and are written for Unix. Other systems have no process groups,
// and nothing ends a child with its parent.

func attributes() *syscall.SysProcAttr { return nil }

func awaitExit(int) bool { return false }

// interruptGroup kills the process: it cannot be interrupted.
func interruptGroup(pid int) error {
	killGroup(pid)
	return nil
}

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

// killBelow cannot find descendants here.
func killBelow(int) {}
