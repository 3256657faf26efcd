package pyrunner

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScratchOfAKilledFrontIsRemoved(t *testing.T) {
	parent := t.TempDir()
	killed, err := newScratch(parent)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(killed.dir, "krt_main.py"), nil, 0o600))
	running, err := newScratch(parent)
	require.NoError(t, err)
	require.DirExists(t, killed.dir, "its lock is held")
	other := filepath.Join(parent, scratchPrefix+"other")
	require.NoError(t, os.Mkdir(other, 0o700))

	require.NoError(t, killed.lock.Close()) // as the kernel does
	next, err := newScratch(parent)
	require.NoError(t, err)
	require.NoDirExists(t, killed.dir)
	require.DirExists(t, running.dir)
	require.DirExists(t, other, "it has no lock: it may just have been made")
	require.NoError(t, running.remove())
	require.NoError(t, next.remove())
	require.NoDirExists(t, next.dir)
}

// Files that could not be written, for want of room say, are written when the next worker starts.
func TestScratchOfNothingIsNotWhole(t *testing.T) {
	s, err := newScratch(t.TempDir())
	require.NoError(t, err)
	require.False(t, s.whole())
	require.NoError(t, s.note())
	require.True(t, s.whole())
	require.NoError(t, s.remove())
	require.False(t, s.whole())
}
