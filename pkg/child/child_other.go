//go:build !unix

package child

import (
	"os"
	"syscall"
)

// Nodes run on Linux, and are written for Unix. Here process groups lack, and
// what ends a child with its parent.

func attributes() *syscall.SysProcAttr { return nil }

func awaitExit(int) bool { return false }

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}
