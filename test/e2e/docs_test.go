package e2e_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/docs/page"
	"krt.dev/kn-krt/test/docs/shell"
	"krt.dev/kn-krt/test/namespace"
)

// What the pages of the documentation mark with "sh cluster", each page in a namespace of its own.
func TestDocs(t *testing.T) {
	t.Parallel() // its pages take minutes, and nothing else would run meanwhile
	pages, err := page.All("../..")
	require.NoError(t, err)
	executed := 0
	for _, p := range pages {
		if !slices.ContainsFunc(p.Blocks, onCluster) {
			continue
		}
		executed++
		t.Run(strings.TrimSuffix(path.Base(p.Name), ".md"), func(t *testing.T) {
			t.Parallel()
			c := newCLI(t)
			machine := shell.Machine{Environment: c.environment(), Within: 2 * namespace.Patience}
			count, err := machine.Run(t.Context(), p, page.Cluster, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d blocks executed", count)
		})
	}
	require.NotZero(t, executed, "no page has a block that is marked with sh cluster")
}

func onCluster(b page.Block) bool {
	m, err := b.Marker()
	return err == nil && m.How == page.Cluster
}

// environment is that of a shell whose kubeconfig names the test's namespace.
func (c cli) environment() []string {
	c.t.Helper()
	config := filepath.Join(c.t.TempDir(), "kubeconfig")
	text := c.Kubectl("config", "view", "--raw", "--flatten")
	require.NoError(c.t, os.WriteFile(config, []byte(text), 0o600))
	c.Kubectl("--kubeconfig", config, "config", "set-context", "--current", "--namespace", c.Name)
	return append(os.Environ(), c.path, "KUBECONFIG="+config, "NO_COLOR=1")
}
