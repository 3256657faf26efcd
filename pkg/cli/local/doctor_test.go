package local

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

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
	require.Regexp(t, `^127\.0\.0\.1:\d+ is not free: bind: address already in use$`, c.Text)
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

func TestAProgramThatHangsIsLeft(t *testing.T) {
	folder := t.TempDir()
	script := "#!/bin/sh\n/bin/sleep 600 &\necho $! > '" + folder + "/pid'\nwait\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, "go"), []byte(script), 0o700))
	t.Setenv("PATH", folder)
	ctx, cancel := context.WithCancel(t.Context())
	checked := make(chan term.Check, 1)
	go func() { checked <- checkGo(ctx) }()
	require.Eventually(t, func() bool { return sleeper(folder) != 0 }, 10*time.Second, time.Millisecond)
	child, err := os.FindProcess(sleeper(folder))
	require.NoError(t, err)
	defer func() { _ = child.Kill() }()
	cancel()
	select {
	case c := <-checked:
		require.Equal(t, term.CheckInfo, c.State, c.Text)
	case <-time.After(30 * time.Second):
		require.Fail(t, "the check waits for the script's child")
	}
}

// sleeper is the process that the script has started, 0 before.
func sleeper(folder string) int {
	text, _ := os.ReadFile(filepath.Join(folder, "pid")) // not there yet
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// A go.mod of the folder that the user is in cannot have another toolchain downloaded.
func TestGoIsAskedElsewhere(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "go"), []byte("#!/bin/sh\necho $GOTOOLCHAIN $(pwd -P)\n"), 0o700))
	t.Setenv("PATH", folder)
	t.Setenv("GOTOOLCHAIN", "auto")
	t.Chdir(folder)
	require.Equal(t, "local /", checkGo(t.Context()).Text)
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
