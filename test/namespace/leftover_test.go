package namespace

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeKubectl has kubectl get the objects, and write how else it is run to the file.
const fakeKubectl = `#!/bin/sh
if [ "$1" = get ]; then exec cat "$(dirname "$0")/objects"; fi
echo "$@" >>"$(dirname "$0")/ran"
if [ "$1" = taint ]; then echo 'error: taint "a" not found' >&2; exit 1; fi
`

// What a test has changed that was killed is undone, and nothing of a test that runs.
func TestRestore(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "kubectl"), []byte(fakeKubectl), 0o700))
	t.Setenv("PATH", folder+string(filepath.ListSeparator)+os.Getenv("PATH"))
	dead := exec.CommandContext(t.Context(), "true")
	require.NoError(t, dead.Run())
	note := func(pid int, args ...string) map[string]string {
		us, err := thisProcess()
		require.NoError(t, err)
		us.PID = pid
		text, err := json.Marshal(undo{args, us})
		require.NoError(t, err)
		return map[string]string{UndoNote: string(text)}
	}
	ours, err := Undo("taint", "node", "mine", "a-")
	require.NoError(t, err)
	object := func(kind, namespace, name string, annotations map[string]string) map[string]any {
		return map[string]any{"kind": kind, "metadata": map[string]any{"namespace": namespace, "name": name, "annotations": annotations}}
	}
	setting, err := json.Marshal(before{process: process{"elsewhere", 1}})
	require.NoError(t, err)
	objects, err := json.Marshal(map[string]any{"items": []any{
		object("Node", "", "plain", nil),
		object("Node", "", "mine", map[string]string{UndoNote: ours}),
		object("Node", "", "left", note(dead.Process.Pid, "taint", "node", "left", "a-")),
		object("Deployment", "knative-serving", "webhook", note(dead.Process.Pid, "scale", "deployment/webhook", "--replicas=1")),
		object("Namespace", "", "test-1", note(dead.Process.Pid, "delete", "namespace", "test-1", "--wait=false")),
		object("ConfigMap", "krt-system", "config-krt", map[string]string{beforePrefix + "a": string(setting)}),
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "objects"), objects, 0o600))
	require.NoError(t, restoreAll())
	ran, err := os.ReadFile(filepath.Join(folder, "ran"))
	require.NoError(t, err)
	require.Equal(t, `taint node left a-
annotate node left undo.krt.dev/kubectl-
scale deployment/webhook --replicas=1
annotate deployment webhook undo.krt.dev/kubectl- -n knative-serving
delete namespace test-1 --wait=false
annotate namespace test-1 undo.krt.dev/kubectl-
patch configmap config-krt -n krt-system --type=merge --patch {"data":{"a":null},"metadata":{"annotations":{"before.krt.dev/a":null}}}
`, string(ran))
}
