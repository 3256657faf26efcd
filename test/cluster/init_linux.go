package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
		return fmt.Errorf("init is an internal verb of the cluster")
	}
	if err := setMounts(p); err != nil {
		return fmt.Errorf("cannot set up mounts: %w", err)
	}
	if err := setNetwork(); err != nil {
		return fmt.Errorf("cannot set up the network: %w", err)
	}
	i := &initializer{place: p, components: components(p), names: map[int]string{}}
	go func() {
		i.startAll()
		i.takeOrders()
	}()
	return i.reap()
}

// setMounts gives the cluster's programs folders of their own where they have
// them hard-wired, so that a container runtime of the host is not disturbed.
func setMounts(p place) error {
	// Private first, or all of the below would show on the host; then shared,
	// because kubelet hands mounts on to containers.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("/: %w", err)
	}
	if err := detachOthers(p); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("/: %w", err)
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
	place      place
	components []component
	mu         sync.Mutex
	names      map[int]string
	again      component // its end is wanted, and it is to be started again
}

func (i *initializer) startAll() {
	for _, c := range i.components {
		if err := i.start(c); err != nil {
			i.fail(c.name, err)
		}
		i.await(c)
	}
}

func (i *initializer) await(c component) {
	if c.ready == nil {
		return
	}
	if err := poll(context.Background(), 90*time.Second, c.ready); err != nil {
		i.fail(c.name, err)
	}
}

// takeOrders restarts components for as long as the cluster lives.
func (i *initializer) takeOrders() {
	order, taken := filepath.Join(i.place.State, restartFile), filepath.Join(i.place.State, restartingFile)
	for range time.Tick(200 * time.Millisecond) {
		name, err := os.ReadFile(order)
		if err != nil || os.Rename(order, taken) != nil {
			continue
		}
		i.restart(string(name))
		_ = os.Remove(taken)
	}
}

// restart kills a component; reap starts it again.
func (i *initializer) restart(name string) {
	all := i.components
	at := slices.IndexFunc(all, func(c component) bool { return c.name == name })
	if at < 0 {
		return
	}
	i.mu.Lock()
	for pid, running := range i.names {
		if running == name {
			i.again = all[at]
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	i.mu.Unlock()
	_ = poll(context.Background(), time.Minute, func(context.Context) error {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.again.name != "" {
			return errors.New("it is still running")
		}
		return nil
	})
	i.await(all[at])
}

func (i *initializer) start(c component) error {
	path, err := exec.LookPath(c.args[0])
	if err != nil {
		return err
	}
	log, err := os.OpenFile(i.place.log(c.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
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
		i.ended(pid, status)
	}
}

// ended starts a component again that was to be restarted, and ends the cluster
// with any other.
func (i *initializer) ended(pid int, status unix.WaitStatus) {
	i.mu.Lock()
	name, ok := i.names[pid]
	delete(i.names, pid)
	again := i.again
	i.mu.Unlock()
	if !ok {
		return
	}
	if name != again.name {
		i.fail(name, fmt.Errorf("it ended: status %d, signal %d", status.ExitStatus(), status.Signal()))
	}
	if err := i.start(again); err != nil {
		i.fail(name, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.again = component{}
}

// fail records which component failed, and ends the cluster.
func (i *initializer) fail(name string, err error) {
	text := fmt.Sprintf("%s: %v\n%s\n", name, err, logTail(i.place, name))
	if err := os.WriteFile(filepath.Join(i.place.State, failedFile), []byte(text), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}
