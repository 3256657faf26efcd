package namespace

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// Inside skips the test where the addresses of Services and pods cannot be
// reached: it is about what stands behind them.
func (n *Namespace) Inside() {
	n.t.Helper()
	if err := n.inside(); err != nil {
		n.t.Skipf("needs the cluster's own network (a node's, or `make cluster`): %v", err)
	}
}

func (n *Namespace) inside() error {
	n.t.Helper()
	address := n.Kubectl("get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}")
	connection, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(n.ctx, "tcp", net.JoinHostPort(address, "443"))
	if err != nil {
		return err
	}
	return connection.Close()
}

// Address is host:port of a Service's port: its own or, where that cannot be
// reached, a forwarded one.
func (n *Namespace) Address(service string, port int) string {
	n.t.Helper()
	if n.inside() == nil {
		return fmt.Sprintf("%s.%s.svc.cluster.local:%d", service, n.Name, port)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.t.Cleanup(stop)
	forward := exec.CommandContext(ctx, "kubectl", "port-forward", "-n", n.Name, "service/"+service, fmt.Sprintf(":%d", port))
	out, err := forward.StdoutPipe()
	require.NoError(n.t, err)
	require.NoError(n.t, forward.Start())
	n.t.Cleanup(func() {
		stop()
		_ = forward.Wait() // it is killed
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(n.t, err, "kubectl port-forward")
	_, address, _ := strings.Cut(line, "from ") // Forwarding from 127.0.0.1:40001 -> 9000
	address, _, _ = strings.Cut(address, " ")
	return address
}
