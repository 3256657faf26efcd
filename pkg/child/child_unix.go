//go:build unix && !linux

package child

import "syscall"

// attributes puts a child in a process group of its own. Only Linux kills a
// child when its parent dies: elsewhere `kill -9` of the parent leaves it.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit cannot wait without reaping here.
func awaitExit(int) bool { return false }

// killBelow cannot find descendants here.
func killBelow(int) {}
