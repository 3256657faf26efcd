package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// failedFile names the component whose end ended the cluster.
const failedFile = "failed"

// initCluster is the cluster's first process. It has namespaces of its own for
// processes, mounts and network: when it ends, by whatever means, the kernel
// ends every process of the cluster, containers included, and takes its mounts
// and interfaces with it. So nothing can be left behind but files.
func initCluster(p place) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("init is for the cluster's own use")
	}
	if err := setMounts(p); err != nil {
		return fmt.Errorf("cannot set up mounts: %w", err)
	}
	if err := setNetwork(); err != nil {
		return fmt.Errorf("cannot set up the network: %w", err)
	}
	i := &initializer{place: p, names: map[int]string{}}
	go i.startAll()
	return i.reap()
}

// setMounts gives the cluster's programs folders of their own where they have
// them hard-wired, so that a container runtime of the host is not disturbed.
func setMounts(p place) error {
	// Private first, or all of the below would show on the host; then shared,
	// because kubelet hands mounts on to containers.
	for _, flag := range []uintptr{unix.MS_PRIVATE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|flag, ""); err != nil {
			return fmt.Errorf("/: %w", err)
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	for _, dir := range []string{"/run/netns", "/run/containerd", "/var/log/containers", "/var/lib/cni"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	for _, dir := range []string{filepath.Join(p.Data, "kubelet"), "/var/lib/kubelet"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// Volumes may be big, hence not in memory.
	if err := unix.Mount(filepath.Join(p.Data, "kubelet"), "/var/lib/kubelet", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("/var/lib/kubelet: %w", err)
	}
	if err := unix.Mount(p.conf("resolv.conf"), "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("/etc/resolv.conf: %w", err)
	}
	return nil
}

// setNetwork makes the node's address. A bridge holds it: not every kernel has
// the device type "dummy".
func setNetwork() error {
	ctx := context.Background()
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "kube0", "type", "bridge"},
		{"addr", "add", nodeIP + "/24", "dev", "kube0"},
		{"link", "set", "kube0", "up"},
		{"route", "add", "default", "dev", "kube0"}, // kubelet and kube-proxy want one
	} {
		if _, err := command(ctx, exec.CommandContext(ctx, "ip", args...)); err != nil {
			return fmt.Errorf("ip %v: %w", args, err)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

// initializer starts the components and waits for every process of the
// cluster, which are all its descendants.
type initializer struct {
	place place
	mu    sync.Mutex
	names map[int]string
}

func (i *initializer) startAll() {
	for _, c := range components(i.place) {
		if err := i.start(c); err != nil {
			i.fail(c.name, err)
		}
		if c.ready == nil {
			continue
		}
		if err := poll(context.Background(), 90*time.Second, c.ready); err != nil {
			i.fail(c.name, err)
		}
	}
}

func (i *initializer) start(c component) error {
	path, err := exec.LookPath(c.args[0])
	if err != nil {
		return err
	}
	log, err := os.Create(i.place.log(c.name))
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	// Not exec.Cmd: it waits for its process, and here only reap may wait.
	i.mu.Lock()
	defer i.mu.Unlock()
	process, err := os.StartProcess(path, c.args, &os.ProcAttr{
		Dir: i.place.State, Env: append(i.place.environment(), c.env...), Files: []*os.File{null, log, log},
	})
	if err != nil {
		return err
	}
	i.names[process.Pid] = c.name
	return process.Release()
}

// reap waits for whatever process ends. None of the components may: the
// cluster ends with the first, for half a cluster is worse to have than none.
func (i *initializer) reap() error {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err == unix.ECHILD { // before the first component starts
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err != nil {
			continue
		}
		i.mu.Lock()
		name, ok := i.names[pid]
		i.mu.Unlock()
		if ok {
			i.fail(name, fmt.Errorf("it ended: status %d, signal %d", status.ExitStatus(), status.Signal()))
		}
	}
}

// fail tells which component failed, and ends the cluster.
func (i *initializer) fail(name string, err error) {
	text := fmt.Sprintf("%s: %v\n%s\n", name, err, logTail(i.place, name))
	if err := os.WriteFile(filepath.Join(i.place.State, failedFile), []byte(text), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}
