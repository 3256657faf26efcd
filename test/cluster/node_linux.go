package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// insideCluster reports whether this process sees the cluster's processes as the cluster does.
func insideCluster(p place) bool {
	if _, outside := initPID(p); outside {
		return false
	}
	arguments, err := os.ReadFile("/proc/1/cmdline")
	return err == nil && bytes.HasSuffix(arguments, []byte("\x00init\x00"))
}

// startNode starts a node that is not running, a new one or one that was stopped, and waits until
// pods can be scheduled on it.
func startNode(ctx context.Context, p place, s *steps) error {
	unlock, err := lockNode(p)
	if err != nil {
		return err
	}
	defer unlock()
	return s.do("start "+p.nodeName(), func() error {
		if _, running := initPID(p); !running {
			if err := makeNode(ctx, p); err != nil {
				return errors.Join(err, endNode(ctx, p))
			}
		}
		return waitForNode(ctx, p, func() error {
			if _, running := initPID(p); running {
				return nil
			}
			text, err := os.ReadFile(filepath.Join(p.State, failedFile))
			return errors.Join(fmt.Errorf("%s has ended: %s", p.nodeName(), text), err)
		})
	})
}

func lockNode(p place) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(p.State), 0o755); err != nil {
		return nil, err
	}
	return lock(p)
}

// makeNode starts the node's first process and gives it its place in the network.
func makeNode(ctx context.Context, p place) error {
	if err := endNode(ctx, p); err != nil {
		return err
	}
	if err := os.RemoveAll(p.State); err != nil { // as the /run of a machine that starts
		return err
	}
	for _, dir := range []string{p.State, filepath.Dir(p.log("x")), p.Data} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, f := range []func() error{
		func() error { return makeNodePKI(p) },
		func() error { return writeConf(p) },
		func() error { return makeGroups(p) },
	} {
		if err := f(); err != nil {
			return err
		}
	}
	pid, err := startNodeInit(p)
	if err != nil {
		return err
	}
	return connectNode(ctx, p, pid)
}

// startNodeInit starts the node's first process. It gets the network namespace of the first node, too,
// where the registry is.
func startNodeInit(p place) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	log, err := os.Create(p.log("init"))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return 0, err
	}
	defer network.Close()
	init := exec.Command(self, "node-init", strconv.Itoa(p.Node)) //nolint:noctx // it outlives this process
	init.Dir, init.Env, init.Stdout, init.Stderr = p.Source, p.environment(), log, log
	init.ExtraFiles = []*os.File{network}
	init.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC,
	}
	if err := startDetached(init); err != nil {
		return 0, fmt.Errorf("cannot create the namespaces of %s: %w", p.nodeName(), err)
	}
	pid := init.Process.Pid
	go func() { _ = init.Wait() }() // no zombie while this process lives
	return pid, writePID(p, pid)
}

// connectNode puts the node on the first one's bridge. Its pods are reached by way of its address,
// whether it lives or not.
func connectNode(ctx context.Context, p place, pid int) error {
	for _, args := range [][]string{
		{"link", "add", p.nodeName(), "type", "veth", "peer", "name", nodeDevice, "netns", strconv.Itoa(pid)},
		{"link", "set", p.nodeName(), "master", "kube0", "up"},
		{"route", "replace", p.podCIDR(), "via", p.nodeIP()},
	} {
		if err := ip(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// makeGroups makes the control group below which the node's pods are, which kubelet wants to find.
func makeGroups(p place) error {
	const root = "/sys/fs/cgroup"
	parents, err := filepath.Glob(root + "/*/cgroup.procs")
	if err != nil {
		return err
	}
	for i := range parents {
		parents[i] = filepath.Dir(parents[i])
	}
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		parents = []string{root} // version 2: those below it are somebody's
	}
	for _, parent := range parents {
		if err := os.MkdirAll(parent+p.cgroupRoot(), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// stopNode ends all processes of a node at once, as if its machine had lost its power. The cluster has
// to find out by itself.
func stopNode(ctx context.Context, p place, s *steps) error {
	unlock, err := lockNode(p)
	if err != nil {
		return err
	}
	defer unlock()
	return s.do("stop "+p.nodeName(), func() error {
		if _, err := os.Stat(p.State); err != nil {
			return fmt.Errorf("there is no %s; see `cluster nodes`", p.nodeName())
		}
		return endNode(ctx, p)
	})
}

// endNode works on a running node, a killed one and none alike.
func endNode(ctx context.Context, p place) error {
	// The wire first: nobody is told that connections end.
	if inNetwork(ctx, p.nodeName()) {
		if err := ip(ctx, "link", "del", p.nodeName()); err != nil {
			return err
		}
	}
	if err := endInit(ctx, p); err != nil {
		return err
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*" + p.cgroupRoot())
	if err != nil {
		return err
	}
	return removeGroupsOf(ctx, append(groups, "/sys/fs/cgroup"+p.cgroupRoot()))
}

// removeNode stops a node and takes it from the cluster, with all that it has on disk.
func removeNode(ctx context.Context, p place, s *steps) error {
	if err := stopNode(ctx, p, s); err != nil {
		return err
	}
	if err := (kubectl{ctx}).run("delete", "node", p.nodeName(), "--ignore-not-found"); err != nil {
		return err
	}
	if err := removeFolders(ctx, p); err != nil {
		return err
	}
	return ip(ctx, "route", "flush", p.podCIDR())
}

// signalProxy stops a node's kube-proxy in its tracks or has it go on: meanwhile the node sends to the
// pods that Services had before.
func signalProxy(p place, signal unix.Signal) error {
	pid, _, err := findProxy(p)
	if err != nil {
		return err
	}
	return unix.Kill(pid, signal)
}

// findProxy returns the id of a node's kube-proxy, and whether that is stopped.
func findProxy(p place) (pid int, stopped bool, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, false, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		args := strings.Split(string(text), "\x00")
		if err != nil || len(args) < 2 || args[1] != kubeProxy || !slices.Contains(args, p.override()) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return 0, false, err
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(file), "stat"))
		return pid, bytes.Contains(stat, []byte(") T ")), err
	}
	return 0, false, fmt.Errorf("no kube-proxy of %s runs; see `cluster nodes`", p.nodeName())
}

// nodeState is what a node's processes do.
func nodeState(p place) string {
	if _, running := initPID(p); !running && p.Node > 1 {
		return "stopped"
	}
	if _, stopped, err := findProxy(p); err == nil && stopped {
		return kubeProxy + " paused"
	}
	return "running"
}
