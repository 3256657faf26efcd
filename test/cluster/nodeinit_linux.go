package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// nodeDevice is a node's end of its wire to the first one's bridge.
const nodeDevice = "eth0"

// firstNetwork is the open file by which a node's first process finds the first node's network.
const firstNetwork = 3

// initNode is the first process of a node after the first, as initCluster is the cluster's.
func initNode(p place, args []string) error {
	if os.Getpid() != 1 || len(args) != 1 {
		return errors.New("node-init is an internal verb of the cluster")
	}
	n, err := nodeNumber("the node", args[0], 2)
	if err != nil {
		return err
	}
	p = p.node(n)
	unix.CloseOnExec(firstNetwork)
	if err := setMounts(p); err != nil {
		return fmt.Errorf("cannot set up mounts: %w", err)
	}
	if err := setNodeNetwork(p); err != nil {
		return fmt.Errorf("cannot set up the network: %w", err)
	}
	if err := forwardRegistry(); err != nil {
		return fmt.Errorf("cannot forward the registry: %w", err)
	}
	i := &initializer{place: p, components: nodeComponents(p), names: map[int]string{}}
	go i.startAll()
	return i.reap()
}

// detachOthers unmounts what a node has inherited of the mounts of the first one's pods and containers,
// which would otherwise live as long as the node.
func detachOthers(p place) error {
	if p.Node == 1 {
		return nil
	}
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer file.Close()
	data := filepath.Dir(filepath.Dir(p.Data))
	var points []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 {
			points = append(points, fields[4])
		}
	}
	for _, point := range slices.Backward(points) {
		for _, dir := range []string{p.Main, data, "/run/netns", "/run/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/lib/cni"} {
			if point != dir && !strings.HasPrefix(point, dir+"/") {
				continue
			}
			// Below another that has been detached there is none any more.
			if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("%s: %w", point, err)
			}
		}
	}
	return nil
}

// setNodeNetwork waits for the node's wire and makes its routes: to the pods of each other node by way of that.
func setNodeNetwork(p place) error {
	ctx := context.Background()
	err := poll(ctx, 10*time.Second, func(ctx context.Context) error { return ip(ctx, "link", "show", nodeDevice) })
	if err != nil {
		return err
	}
	commands := [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", p.nodeIP() + "/24", "dev", nodeDevice},
		{"link", "set", nodeDevice, "up"},
		{"route", "add", "default", "via", nodeIP},
	}
	for n := 1; n <= maxNodes; n++ {
		if other := (place{Node: n}); n != p.Node {
			commands = append(commands, []string{"route", "add", other.podCIDR(), "via", other.nodeIP()})
		}
	}
	for _, args := range commands {
		if err := ip(ctx, args...); err != nil {
			return err
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func ip(ctx context.Context, args ...string) error {
	if _, err := command(ctx, exec.CommandContext(ctx, "ip", args...)); err != nil {
		return fmt.Errorf("ip %v: %w", args, err)
	}
	return nil
}

// inNetwork reports whether this network namespace has a device.
func inNetwork(ctx context.Context, device string) bool {
	return ip(ctx, "link", "show", device) == nil
}

// forwardRegistry serves the cluster's registry on the node's own localhost, where images are said to be.
func forwardRegistry() error {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", registry)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(conn)
		}
	}()
	return nil
}

func forward(conn net.Conn) {
	defer conn.Close()
	upstream, err := dialFirst()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot reach the registry:", err)
		return
	}
	defer upstream.Close()
	go func() {
		_, _ = io.Copy(upstream, conn)
		if half, ok := upstream.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
	}()
	_, _ = io.Copy(conn, upstream)
}

// dialFirst connects to the registry where it is, in the first node's network. A socket stays in the network in
// which it was made.
func dialFirst() (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		conn, err := connectFirst()
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

func connectFirst() (net.Conn, error) {
	if err := unix.Setns(firstNetwork, unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "registry")
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: registryPort, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	conn, err := net.FileConn(file) // it has a copy
	return conn, errors.Join(err, file.Close())
}
