package local

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
)

func TestCheckFolder(t *testing.T) {
	dir := t.TempDir()
	later := filepath.Join(dir, "not", "yet")
	require.NotEqual(t, term.CheckBad, checkFolder("state folder", later, "XDG_STATE_HOME").State)
	require.NoDirExists(t, later)

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	c := checkFolder("state folder", filepath.Join(file, "kn-krt"), "XDG_STATE_HOME")
	require.Equal(t, term.CheckBad, c.State, c.Text)
	require.Contains(t, c.Text, "cannot be written: not a directory")
	require.Contains(t, c.Fix, "XDG_STATE_HOME")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "a check leaves nothing")
}

func TestCheckPort(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	c := checkPort(t.Context(), "kn krt", "gRPC port", "grpc-port", port)
	require.Equal(t, term.CheckInfo, c.State)
	require.Contains(t, c.Text, "is not free")
	require.Equal(t, "Use another port: kn krt run --grpc-port 0", c.Fix)
	require.NoError(t, listener.Close())
	require.Equal(t, term.CheckGood, checkPort(t.Context(), "kn krt", "gRPC port", "grpc-port", port).State)
}

func TestCheckSystem(t *testing.T) {
	for system, state := range map[string]term.CheckState{
		"linux": term.CheckGood, "darwin": term.CheckInfo, "windows": term.CheckInfo,
	} {
		require.Equal(t, state, checkSystem(system).State, system)
	}
}

func TestChecksOfMissingPrograms(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := checkGo(t.Context())
	require.Equal(t, term.CheckInfo, c.State)
	require.Contains(t, c.Text, "no go command on PATH")
	t.Setenv("KRT_PYTHON", filepath.Join(t.TempDir(), "python3"))
	c = checkPython()
	require.Equal(t, term.CheckInfo, c.State)
	require.Contains(t, c.Text, "nodes in Python cannot run")
}
