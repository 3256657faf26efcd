//go:build unix && !linux

package pyrunner

import "syscall"

// childAttributes: see process_linux.go. Without Pdeathsig a child goes when it
// sees the end of its socket.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
