package bundle

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// What cannot be written is named, and not the file that was being read.
func TestPackingOntoAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "krt.yml"), []byte("version: a\n"), 0o644))
	err = packInto(t.Context(), full, dir, "out.krt")
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, `cannot write "out.krt": no space left on device`)
}
