package bundles_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/localrun"
)

// TestVirtualEnvironmentThatIsNotUsed names the environment in which somebody has
// installed what a node lacks.
func TestVirtualEnvironmentThatIsNotUsed(t *testing.T) {
	localrun.NeedPython(t)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("cases/generation-b")))
	code := filepath.Join(dir, "src", "echo", "main.py")
	require.NoError(t, os.WriteFile(code, []byte("import mylib\ndef handler(ctx, data): return {}\n"), 0o600))
	virtual := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(virtual, "bin"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(virtual, "bin", "python3"), []byte("#!/bin/sh\necho no protobuf; exit 1\n"), 0o700))
	t.Setenv("VIRTUAL_ENV", virtual)

	printed, status := localrun.Command(t, "run", dir, "--grpc-port", "0", "--web-port", "0")
	require.Equal(t, 1, status, printed)
	require.Contains(t, printed, "No module named 'mylib'")
	require.Contains(t, printed, "the active virtual environment "+virtual+" is not used: ")
}
