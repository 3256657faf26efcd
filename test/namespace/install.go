package namespace

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/stretchr/testify/require"
)

// Install brings kn-krt of this source onto the cluster, once in a test's
// process, and waits until it works.
func (n *Namespace) Install() {
	n.t.Helper()
	require.NoError(n.t, install())
	n.Kubectl("rollout", "status", "deployment/krt-controller", "-n", "krt-system", "--timeout", Patience.String())
}

// Two processes that create the same objects at a time fail, so one waits for the other.
var install = sync.OnceValue(func() error {
	release, err := lockAll("install", syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer release()
	if _, err := ko("apply", "--sbom=none", "--filename=config/"); err != nil {
		return err
	}
	return nameBase()
})

// nameBase names the base image of Python nodes in kn-krt's settings, as its
// administrator does after the installation.
func nameBase() error {
	base := os.Getenv("KRT_PYTHON_BASE")
	if base == "" {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{"base-images": "python: " + base + "\n"}})
	if err != nil {
		return err
	}
	_, err = kubectl("patch", "configmap", settings, "-n", "krt-system", "--type=merge", "-p", string(patch))
	return err
}

// kubectl is for what serves more tests than the one that began.
func kubectl(args ...string) (string, error) {
	out, err := exec.Command("kubectl", args...).CombinedOutput() //nolint:noctx // see above
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
