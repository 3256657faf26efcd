package cache

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
				dir := t.TempDir()
				require.NoError(t, os.MkdirAll(filepath.Join(dir, Work), 0o700))
				for entry, hours := range c.used {
					path := filepath.Join(dir, "x", entry)
					if folders {
						require.NoError(t, os.MkdirAll(filepath.Join(path, "packages"), 0o700))
						require.NoError(t, os.WriteFile(filepath.Join(path, SizeFile), []byte(strconv.Itoa(10)), 0o600))
					} else {
						write(t, dir, map[string]string{"x/" + entry: "0123456789"})
					}
					require.True(t, Used(path, now.Add(-time.Duration(hours)*time.Hour)))
				}
				evict(dir, map[string]bound{"x": c.bound}, now)
				var left []string
				entries, err := os.ReadDir(filepath.Join(dir, "x"))
				require.NoError(t, err)
				for _, e := range entries {
					left = append(left, e.Name())
				}
				require.Equal(t, c.left, left)
				entries, err = os.ReadDir(filepath.Join(dir, Work))
				require.NoError(t, err)
				require.Empty(t, entries)
			}
		})
	}
}

func TestWhatWasUsedMeanwhileStays(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	write(t, dir, map[string]string{"x/a": "0123456789", "x/b": "0123456789", Work + "/keep": ""})
	for _, name := range []string{"a", "b"} {
		require.True(t, Used(filepath.Join(dir, "x", name), now.Add(-3*time.Hour)))
	}
	surplus := bound{0, 1000, time.Hour}.surplus(filepath.Join(dir, "x"), now)
	require.Len(t, surplus, 2)
	require.True(t, Used(filepath.Join(dir, "x", "a"), now), "another session begins")
	for _, name := range surplus {
		remove(dir, filepath.Join(dir, "x", name), now)
	}
	require.FileExists(t, filepath.Join(dir, "x", "a"))
	require.NoFileExists(t, filepath.Join(dir, "x", "b"))
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
}
