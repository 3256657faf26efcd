package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// down stops the cluster and removes all of it but the cache of built things.
func down(ctx context.Context, p place, s *steps) error {
	unlock, err := lock(p)
	if err != nil {
		return err
	}
	defer unlock()
	start := time.Now()
	if err := remove(ctx, p); err != nil {
		return fmt.Errorf("cannot stop the cluster: %w", err)
	}
	fmt.Fprintf(s.out, "The cluster is down (%.1f s).\n", time.Since(start).Seconds())
	return nil
}

// endInit ends the first process of a place, if it runs, and waits until it is gone. The kernel ends
// all the others with it, and their mounts and interfaces.
func endInit(ctx context.Context, p place) error {
	pid, running := initPID(p)
	if !running {
		return nil
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return poll(ctx, 30*time.Second, func(context.Context) error {
		if _, alive := initPID(p); alive {
			return fmt.Errorf("process %d is still running", pid)
		}
		return nil
	})
}

// remove works on a running cluster, a killed one and none alike.
func remove(ctx context.Context, p place) error {
	if err := endInit(ctx, p); err != nil {
		return err
	}
	if err := removeGroups(ctx); err != nil {
		return err
	}
	return removeFolders(ctx, p)
}

// removeFolders removes all that a place has on disk.
func removeFolders(ctx context.Context, p place) error {
	for _, dir := range []string{p.State, p.Data} {
		if err := poll(ctx, 10*time.Second, func(context.Context) error { return os.RemoveAll(dir) }); err != nil {
			return err
		}
	}
	return nil
}

// removeGroups removes the control groups of the pods, which outlive them.
// Those in which a process lives belong to somebody else and cannot be removed.
func removeGroups(ctx context.Context) error {
	var roots []string
	for _, pattern := range []string{"/sys/fs/cgroup/kubepods", "/sys/fs/cgroup/*/kubepods",
		"/sys/fs/cgroup/" + cgroupPrefix + "*", "/sys/fs/cgroup/*/" + cgroupPrefix + "*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		roots = append(roots, found...)
	}
	return removeGroupsOf(ctx, roots)
}

func removeGroupsOf(ctx context.Context, roots []string) error {
	for _, root := range roots {
		// The last processes may still be on their way out.
		err := poll(ctx, 5*time.Second, func(context.Context) error { return removeGroup(root) })
		if err != nil {
			return fmt.Errorf("cannot remove control group %q: %w", root, err)
		}
	}
	return nil
}

func removeGroup(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for i := len(dirs) - 1; i >= 0 && err == nil; i-- {
		err = unix.Rmdir(dirs[i]) // children were found after their parents
	}
	return err
}

// writePID keeps the first process's id along with when it started, for ids
// are used again.
func writePID(p place, pid int) error {
	started, err := startTime(pid)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.State, "pid"), fmt.Appendf(nil, "%d %s", pid, started), 0o644)
}

// initPID is the cluster's first process, if it lives.
func initPID(p place) (int, bool) {
	text, err := os.ReadFile(filepath.Join(p.State, "pid"))
	if err != nil {
		return 0, false
	}
	first, started, _ := strings.Cut(string(text), " ")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return 0, false
	}
	now, err := startTime(pid)
	return pid, err == nil && now == started
}

// startTime is in clock ticks since boot; of a zombie there is none.
func startTime(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The second field, the name in parentheses, may hold blanks.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return fields[19], nil
}
