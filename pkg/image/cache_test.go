package image

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheCacheIsBounded(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		bound bound
		// used is how long ago each entry was used, in hours; each holds 10 bytes.
		used map[string]int
		left []string
	}{
		"entries":            {bound{2, 1000, 1000 * time.Hour}, map[string]int{"a": 3, "b": 5, "c": 2}, []string{"a", "c"}},
		"bytes":              {bound{10, 25, 1000 * time.Hour}, map[string]int{"a": 3, "b": 5, "c": 2}, []string{"a", "c"}},
		"age":                {bound{10, 1000, 4 * time.Hour}, map[string]int{"a": 3, "b": 5, "c": 2}, []string{"a", "c"}},
		"what is in use":     {bound{1, 10, time.Nanosecond}, map[string]int{"a": 0, "b": 0, "c": 2}, []string{"a", "b"}},
		"nothing to be done": {bound{3, 30, 6 * time.Hour}, map[string]int{"a": 3, "b": 5, "c": 2}, []string{"a", "b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, folders := range []bool{false, true} {
				cache := t.TempDir()
				require.NoError(t, os.MkdirAll(filepath.Join(cache, cachedWork), 0o700))
				for entry, hours := range c.used {
					path := filepath.Join(cache, "x", entry)
					if folders {
						require.NoError(t, os.MkdirAll(filepath.Join(path, "packages"), 0o700))
						require.NoError(t, os.WriteFile(filepath.Join(path, sizeFile), []byte(strconv.Itoa(10)), 0o600))
					} else {
						write(t, cache, map[string]string{"x/" + entry: "0123456789"})
					}
					require.True(t, used(path, now.Add(-time.Duration(hours)*time.Hour)))
				}
				evict(cache, map[string]bound{"x": c.bound}, now)
				var left []string
				entries, err := os.ReadDir(filepath.Join(cache, "x"))
				require.NoError(t, err)
				for _, e := range entries {
					left = append(left, e.Name())
				}
				require.Equal(t, c.left, left)
				entries, err = os.ReadDir(filepath.Join(cache, cachedWork))
				require.NoError(t, err)
				require.Empty(t, entries)
			}
		})
	}
}

func TestWhatWasUsedMeanwhileStays(t *testing.T) {
	now := time.Now()
	cache := t.TempDir()
	write(t, cache, map[string]string{"x/a": "0123456789", "x/b": "0123456789", cachedWork + "/keep": ""})
	for _, name := range []string{"a", "b"} {
		require.True(t, used(filepath.Join(cache, "x", name), now.Add(-3*time.Hour)))
	}
	surplus := bound{0, 1000, time.Hour}.surplus(filepath.Join(cache, "x"), now)
	require.Len(t, surplus, 2)
	require.True(t, used(filepath.Join(cache, "x", "a"), now), "another session begins")
	for _, name := range surplus {
		remove(cache, filepath.Join(cache, "x", name), now)
	}
	require.FileExists(t, filepath.Join(cache, "x", "a"))
	require.NoFileExists(t, filepath.Join(cache, "x", "b"))
}
