package apiserver

import "syscall"

// withParent ends the program with the test, should that be killed.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
