package pyrunner

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindPythonRunsNoCodeOfTheFolder(t *testing.T) {
	folder, canary := t.TempDir(), filepath.Join(t.TempDir(), "canary")
	for _, name := range []string{"google/__init__.py", "google/protobuf/__init__.py", "sitecustomize.py"} {
		path := filepath.Join(folder, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("open("+strconv.Quote(canary)+", 'w')\n"), 0o644))
	}
	t.Chdir(folder)
	for _, path := range []string{"", ":/nowhere", "/nowhere:.", "google/.."} { // "export PYTHONPATH=$PYTHONPATH:/x" makes the second
		t.Setenv("PYTHONPATH", path)
		_, _ = FindPython(func(name string) string { // there may be none here
			if name == "PATH" {
				return os.Getenv("PATH")
			}
			return ""
		})
		require.NoFileExists(t, canary, path)
	}
}
