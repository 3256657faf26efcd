package load_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// dialFrom connects from a node of the cluster of `make cluster`: its kube-proxy decides where a Service leads to.
func dialFrom(t *testing.T, node string) dialer {
	t.Helper()
	text, err := os.ReadFile("/run/kn-krt/nodes/node" + node + "/pid")
	require.NoError(t, err)
	pid, _, _ := strings.Cut(string(text), " ")
	network, err := os.Open(fmt.Sprintf("/proc/%s/ns/net", pid))
	require.NoError(t, err)
	t.Cleanup(func() { _ = network.Close() })
	return func(ctx context.Context, kind, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		found, err := net.DefaultResolver.LookupHost(ctx, host) // here, where the cluster's DNS is
		if err != nil {
			return nil, err
		}
		return dialIn(ctx, network, kind, net.JoinHostPort(found[0], port))
	}
}

// dialIn connects in another network. A socket stays in that in which it was made, and is made by the
// goroutine that dials, where there is one address only.
func dialIn(ctx context.Context, network *os.File, kind, address string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err = unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err == nil {
			conn, err = new(net.Dialer).DialContext(ctx, kind, address)
		}
	}()
	<-done
	return conn, err
}

// A hundred publishes lose no request either whose Services are another node's: each has a kube-proxy,
// which learns of a publication in its own time.
func TestNodesPublish(t *testing.T) {
	p := newNodes(t)
	p.publishUnderLoad(func(v *v1alpha1.Version) { replicate(v, v1alpha1.DeliverySequence) }, map[string]clients{
		"node 1": {rate: 2}, "node 2": {rate: 2, dial: dialFrom(t, second)}, "node 3": {rate: 2, dial: dialFrom(t, third)},
	})
}
