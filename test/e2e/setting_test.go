package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// settingRole makes this test one of the processes that it starts.
const settingRole = "KRT_E2E_SETTING"

// What a test has set that was killed, the next process that uses the cluster
// restores.
func TestAKilledTestsSettingsAreRestored(t *testing.T) {
	t.Parallel()
	role, of, _ := strings.Cut(os.Getenv(settingRole), " ")
	n := newPlace(t)
	switch role {
	case "killed":
		n.Set("settings", of, "kept", "changed")
		n.Set("settings", of, "kept", "changed again")
		n.Set("settings", of, "absent", "added")
		self, err := os.FindProcess(os.Getpid())
		require.NoError(t, err)
		require.NoError(t, self.Kill())
		select {}
	case "next":
		return
	}
	n.In("create", "configmap", "settings", "--from-literal=kept=as it was")
	killed, err := n.another(t, "killed")
	require.Error(t, err)
	n.Kubectl("delete", "namespace", killed, "--wait=false")
	require.JSONEq(t, `{"kept": "changed again", "absent": "added"}`, n.Get("configmap/settings", "{.data}"))
	_, err = n.another(t, "next")
	require.NoError(t, err)
	require.JSONEq(t, `{"kept": "as it was"}`, n.Get("configmap/settings", "{.data}"))
	require.Empty(t, n.Get("configmap/settings", "{.metadata.annotations}"))
}

// another runs this test as a process of its own and returns its namespace.
func (n place) another(t *testing.T, role string) (name string, err error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), settingRole+"="+role+" "+n.Name)
	err = c.Run()
	return strings.TrimSuffix(n.Name, fmt.Sprint(os.Getpid())) + fmt.Sprint(c.Process.Pid), err
}
