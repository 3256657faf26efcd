package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// enter runs a command within the cluster's namespaces, on this process's
// streams and in its folder, and passes signals on to it.
func enter(ctx context.Context, p place, args []string) error {
	done := make(chan error)
	go func() {
		// A thread of its own: it never comes back to the host's namespaces, and ends with the goroutine. (The
		// child cannot be tied to this process by a signal at its death: Go takes a
		// parent of another process namespace for a dead one. It ends with the cluster.)
		runtime.LockOSThread()
		done <- enterThread(ctx, p, args)
	}()
	return <-done
}

// enterThread does it on the calling thread.
func enterThread(ctx context.Context, p place, args []string) error {
	pid, running := initPID(p)
	if !running {
		return errors.New("the cluster is not up: `make cluster` starts it")
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	environment := p.environment()
	path, err := lookPath(environment, args[0])
	if err != nil {
		return err
	}
	if err := joinNamespaces(pid); err != nil {
		return fmt.Errorf("cannot enter the cluster: %w", err)
	}
	c := exec.CommandContext(ctx, path, args[1:]...)
	c.Args[0], c.Env = args[0], environment
	c.Dir, c.Stdin, c.Stdout, c.Stderr = dir, os.Stdin, os.Stdout, os.Stderr
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	if err := c.Start(); err != nil {
		return err
	}
	// go test asks a test that takes too long for its stacks by this one.
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	defer signal.Stop(quit)
	go func() {
		for s := range quit {
			_ = c.Process.Signal(s)
		}
	}()
	return c.Wait()
}

// joinNamespaces moves the calling thread, and for process ids its children.
func joinNamespaces(pid int) error {
	// Threads share their view of the file system unless requested otherwise, and
	// who shares it may not change it.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	var files []*os.File
	for _, name := range []string{"pid", "ipc", "net", "mnt"} {
		file, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if err != nil {
			return err
		}
		defer file.Close()
		files = append(files, file)
	}
	for _, file := range files {
		if err := unix.Setns(int(file.Fd()), 0); err != nil {
			return fmt.Errorf("%s: %w", file.Name(), err)
		}
	}
	return nil
}

// lookPath finds a program on the PATH of the environment it is to have.
func lookPath(environment []string, name string) (string, error) {
	for _, entry := range environment {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			if err := os.Setenv("PATH", path); err != nil {
				return "", err
			}
		}
	}
	return exec.LookPath(name)
}
