package main

import (
	"math"
	"os/exec"

	"golang.org/x/sys/unix"
)

// startDetached starts a process that outlives this one, with none of the files that whoever called
// this had open: a lock on one would be held for as long as the cluster lives. (They stay open where
// Linux is older than 5.11.)
func startDetached(c *exec.Cmd) error {
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	return c.Start()
}
