//go:build !linux

package apiserver

import "syscall"

func withParent() *syscall.SysProcAttr { return nil }
