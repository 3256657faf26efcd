package pyrunner

import "syscall"

// childAttributes puts a child in a group of its own, so that a Ctrl-C meant for
// the front does not kill requests in flight and all that the node's code starts
// can be killed together; and has the kernel kill it when the front dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
