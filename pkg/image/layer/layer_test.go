package layer

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/image/cache"
	"krt.dev/kn-krt/pkg/krt/archive"
)

func TestALargeLayerIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	random := make([]byte, 2<<20)
	path := filepath.Join(dir, "weights")
	require.NoError(t, os.WriteFile(path, random, 0o600))
	files := func() []archive.File {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return []archive.File{{Name: "weights", Info: info}}
	}
	_, ok := Stamp(dir, files(), time.Now())
	require.False(t, ok, "it was written this very moment, and could be again without a sign of it")

	later := time.Now().Add(time.Hour)
	first, ok := Stamp(dir, files(), later)
	require.True(t, ok)
	same, _ := Stamp(dir, files(), later)
	require.Equal(t, first, same)
	random[0] = 1
	require.NoError(t, os.WriteFile(path, random, 0o600))
	other, _ := Stamp(dir, files(), later)
	require.NotEqual(t, first, other)
}

func TestAWrongMemoryIsNoticedAndForgotten(t *testing.T) {
	kept, err := cache.Open(t.TempDir())
	require.NoError(t, err)
	m := Maker{Cache: kept, Work: t.TempDir()}
	made, err := m.Blob(t.Context(), "key", OfProgram("layer.go", "x"))
	require.NoError(t, err)
	known, err := m.Blob(t.Context(), "key", OfProgram("layer.go", "x"))
	require.NoError(t, err)
	require.Empty(t, known.file, "nothing is made while nobody asks for it")
	require.Equal(t, made.Descriptor, known.Descriptor)

	wrong, err := m.Blob(t.Context(), "key", OfProgram("tree.go", "x"))
	require.NoError(t, err)
	_, err = wrong.In(t.Context(), "", new(atomic.Int64)).Compressed()
	require.ErrorContains(t, err, "changed while its image was made")
	again, err := m.Blob(t.Context(), "key", OfProgram("tree.go", "x"))
	require.NoError(t, err)
	require.NotEqual(t, made.Digest, again.Digest)
}
