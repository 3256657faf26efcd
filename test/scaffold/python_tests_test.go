package scaffold_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/localrun"
)

// TestPythonTests runs tests that must not count as passed, or must.
func TestPythonTests(t *testing.T) {
	localrun.NeedPython(t)
	const plain = "import unittest\nclass TestIt(unittest.TestCase):\n    "
	for name, c := range map[string]struct {
		files map[string]string
		want  string
		code  int
	}{
		"equal names": {map[string]string{
			"a/test_a.py": "import near\n" + plain + "def test_a(self): assert near.X\n", "a/near.py": "X = 1\n",
			"b/test_a.py": plain + "def test_b(self): pass\n",
		}, "1 source folder tested", 0},
		"os._exit": {map[string]string{"test_a.py": "import os\n" + plain + "def test_a(self): os._exit(0)\n"},
			"not all tests ran: Python exited before they ended", 1},
		"os._exit as if none ran": {map[string]string{
			"test_a.py": "import os\n" + plain + "def test_a(self): os._exit(3)\n",
		}, "not all tests ran: Python exited before they ended", 1},
		"async in a plain TestCase": {map[string]string{
			"test_a.py": plain + "async def test_a(self): assert 0\n",
		}, "derive the class from unittest.IsolatedAsyncioTestCase", 1},
		"async": {map[string]string{
			"test_a.py": "import unittest\nclass TestIt(unittest.IsolatedAsyncioTestCase):\n    async def test_a(self): pass\n",
		}, "1 source folder tested", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			out, code := localrun.Command(t, "init", "first", "--language", "python")
			require.Zero(t, code, out)
			mains, err := filepath.Glob("first/src/*/main.py")
			require.NoError(t, err)
			require.Len(t, mains, 1)
			for name, text := range c.files {
				path := filepath.Join(filepath.Dir(mains[0]), name)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			}
			out, code = localrun.Command(t, "test", "first")
			require.Equal(t, c.code, code, out)
			require.Contains(t, out, c.want)
		})
	}
}
