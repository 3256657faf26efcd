package main

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A shell that holds a lock while it starts a cluster or a node does not leave it to them.
func TestDetachedHoldsNoFileOfTheCaller(t *testing.T) {
	inherited, err := unix.Open(filepath.Join(t.TempDir(), "lock"), unix.O_CREAT|unix.O_RDWR, 0o600) // without O_CLOEXEC
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(inherited) })
	c := exec.CommandContext(t.Context(), "test", "-e", "/proc/self/fd/"+strconv.Itoa(inherited))
	require.NoError(t, startDetached(c))
	var missing *exec.ExitError
	require.ErrorAs(t, c.Wait(), &missing, "the file is open")
	require.Equal(t, 1, missing.ExitCode())
}
