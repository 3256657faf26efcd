package namespace

import (
	"context"
	"encoding/json"
	"os/exec"

	"github.com/stretchr/testify/require"
)

// Set changes a setting in a ConfigMap of another namespace for the time of the
// test.
func (n *Namespace) Set(configMap, in, key, value string) {
	n.t.Helper()
	patch := func(v any) string {
		text, err := json.Marshal(map[string]any{"data": map[string]any{key: v}})
		require.NoError(n.t, err)
		return string(text)
	}
	var before struct{ Data map[string]string }
	require.NoError(n.t, json.Unmarshal([]byte(n.Kubectl("get", "configmap", configMap, "-n", in, "-o", "json")), &before))
	var back any // null takes the key away again
	if old, ok := before.Data[key]; ok {
		back = old
	}
	restore := patch(back)
	n.Kubectl("patch", "configmap", configMap, "-n", in, "--type=merge", "--patch", patch(value))
	n.Afterwards("kubectl", "patch", "configmap", configMap, "-n", in, "--type=merge", "--patch", restore)
}

// Afterwards runs a program when the test has ended, however that is.
func (n *Namespace) Afterwards(name string, args ...string) {
	n.t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
		require.NoError(n.t, err, "%s", out)
	})
}
