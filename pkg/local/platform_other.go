//go:build !unix

package local

import (
	"os"
	"syscall"
)

// The rest of kn-krt is of use on any system; a local run is tried on Linux and
// written for Unix. Here it lacks process groups, locks and Pdeathsig.

func attributes() *syscall.SysProcAttr { return nil }

func awaitExit(int) bool { return false }

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func lock(*os.File) bool { return true }
