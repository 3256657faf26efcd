package namespace

import (
	"sync"

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
