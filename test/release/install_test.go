package release_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/namespace"
)

// made is a release of this commit, with images for the cluster only.
func made(t *testing.T) (dist string) {
	t.Helper()
	root := source(t, "HEAD", version)
	t.Log(run(t, root, []string{"GOFLAGS=", "COSIGN_KEY="}, "go", "run", "./cmd/release", "-version", version, "-platforms", "",
		"-image-platforms", "linux/amd64"))
	return filepath.Join(root, "dist")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// Each way to install works, and each way to remove leaves nothing behind but what it says.
func TestInstall(t *testing.T) {
	n := newPlace(t)
	dist := made(t)
	node := n.Image("test/e2e/node")

	t.Run("kubectl", func(t *testing.T) {
		n.install(read(t, filepath.Join(dist, "kn-krt.yaml")))
		n.works(node)
	})
	t.Run("kustomize", func(t *testing.T) {
		dir := t.TempDir()
		run(t, dir, nil, "tar", "-xzf", filepath.Join(dist, "kn-krt-kustomize_"+version+".tar.gz"))
		n.install(n.Kubectl("kustomize", filepath.Join(dir, "kn-krt")))
		n.works(node)
	})
	t.Run("helm", func(t *testing.T) { n.helm(dist, node) })
}

// works starts and publishes a version, calls it, and uninstalls all: versions first, the kinds last.
func (n place) works(node string) {
	n.t.Helper()
	n.version("one", node)
	n.publish("one")
	l := n.load()
	l.more(n, 20)
	l.end(n.t)
	out := run(n.t, "../..", nil, "go", "run", "./cmd/kn-krt", "uninstall", "--yes")
	version, controller, kinds := strings.Index(out, "Version 'one'"), strings.Index(out, "deleted Deployment krt-controller"),
		strings.Index(out, "deleted CustomResourceDefinition")
	require.True(n.t, controller >= 0 && version < controller && controller < kinds, out)
	require.Empty(n.t, n.Kubectl("get", "crd,clusterrole,clusterrolebinding", "-o", "name", "-l", "app.kubernetes.io/part-of=kn-krt"))
	n.Eventually(func() error { // Knative deletes what it has made of the version's objects in the background
		if left := n.In("get", "ksvc,sequence,deployment,service", "-o", "name"); left != "" {
			return fmt.Errorf("left: %s", left)
		}
		return nil
	})
	require.NotEmpty(n.t, n.Kubectl("get", "namespace", "krt-system", "-o", "name"), "with the data of the store")
}

// helm installs the chart, changes a setting by an upgrade, rolls it back and uninstalls the chart,
// while a version serves.
func (n place) helm(dist, node string) {
	n.t.Helper()
	path := os.Getenv("KRT_HELM")
	if path == "" {
		n.t.Skip("KRT_HELM names no program: make release-long")
	}
	chart := filepath.Join(dist, "kn-krt-"+strings.TrimPrefix(version, "v")+".tgz")
	helm := func(args ...string) string {
		n.t.Helper()
		return run(n.t, ".", nil, path, append(args, "--namespace", "krt-system")...)
	}
	n.t.Log(helm("install", "kn-krt", chart, "--create-namespace", "--wait", "--timeout", namespace.Patience.String()))
	n.version("one", node)
	n.publish("one")
	l := n.load()
	l.more(n, 20)
	timeout := func() string {
		return n.Kubectl("get", "configmap", "config-krt", "-n", "krt-system", "-o", "jsonpath={.data.timeout}")
	}
	helm("upgrade", "kn-krt", chart, "--set", "settings.timeout=60s,dashboard.enabled=true", "--wait", "--timeout",
		namespace.Patience.String())
	require.Equal(n.t, "60s", timeout())
	l.more(n, 20)
	helm("rollback", "kn-krt", "1", "--wait", "--timeout", namespace.Patience.String())
	require.Empty(n.t, timeout())
	l.more(n, 20)
	l.end(n.t)
	out := run(n.t, "../..", nil, "go", "run", "./cmd/kn-krt", "uninstall", "--yes")
	require.Contains(n.t, out, "Now remove kn-krt with 'helm uninstall kn-krt --namespace krt-system'.")
	out = helm("uninstall", "kn-krt", "--wait")
	require.Contains(n.t, out, "These resources were kept due to the resource policy")
	require.NotEmpty(n.t, n.Kubectl("get", "crd", "versions.krt.dev", "-o", "name"))
}
