//go:build unix

package child

import "syscall"

// killGroup kills all processes in the group that pid leads.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// interruptGroup interrupts all processes in the group that pid leads.
func interruptGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) }
