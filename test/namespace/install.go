package namespace

import (
	"net"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// Install brings kn-krt of this source onto the cluster, once in a test's
// process, and waits until it works.
func (n *Namespace) Install() {
	n.t.Helper()
	require.NoError(n.t, install())
	n.Kubectl("rollout", "status", "deployment/krt-controller", "-n", "krt-system", "--timeout", Patience.String())
}

var install = sync.OnceValue(func() error {
	_, err := ko("apply", "--sbom=none", "--filename=config/")
	return err
})

// Inside skips the test where the addresses of Services and pods cannot be
// reached: it is about what stands behind them.
func (n *Namespace) Inside() {
	n.t.Helper()
	address := n.Kubectl("get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}")
	connection, err := net.DialTimeout("tcp", net.JoinHostPort(address, "443"), 3*time.Second) //nolint:noctx // it has a timeout
	if err != nil {
		n.t.Skipf("needs the cluster's own network (a node's, or `make cluster`): %v", err)
	}
	require.NoError(n.t, connection.Close())
}
