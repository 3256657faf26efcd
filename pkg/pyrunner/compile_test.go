package pyrunner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// What is compiled has its errors at their place, and is not run.
func TestCompile(t *testing.T) {
	python, err := pyrunner.FindPython(os.Getenv)
	require.NoError(t, err)
	ran := filepath.Join(t.TempDir(), "ran")
	runs := "open(" + strings.ReplaceAll(`"`+ran+`"`, `\`, `\\`) + `, "w")` + "\n"
	here := t.TempDir()
	t.Chdir(here)
	for _, name := range []string{"sitecustomize.py", "json.py", "base64.py"} { // which Python would run, or import
		require.NoError(t, os.WriteFile(name, []byte(runs), 0o600))
	}
	t.Setenv("PYTHONPATH", here)
	t.Setenv("PYTHONSTARTUP", filepath.Join(here, "json.py"))
	sources := []string{"good.py", runs, "unclosed.py", "x = 1\ny = (\n", "indent.py", "def f():\npass\n",
		"cookie.py", "# coding: latin-1\nx = '\xe9'\n", "encoding.py", "x = '\xe9'\n", "zero.py", "x = 1\x00\n", "escape.py", "x = '\\d'\n",
		"deep.py", strings.Repeat("(", 5000) + strings.Repeat(")", 5000), "last.py", "x = = 1\n"}
	bundle, names := fstest.MapFS{}, []string{}
	for i := 0; i < len(sources); i += 2 {
		bundle[sources[i]] = &fstest.MapFile{Data: []byte(sources[i+1])}
		names = append(names, sources[i])
	}
	version, bad := pyrunner.Compile(t.Context(), python, bundle, append(names, "missing.py"))
	require.Regexp(t, `^3\.\d+$`, version)
	places := map[string]int{}
	for _, one := range bad {
		places[one.File] = one.Line
		require.NotEmpty(t, one.Text)
	}
	delete(places, "deep.py") // of which versions of Python say different things
	require.Contains(t, []int{0, 1}, places["encoding.py"])
	delete(places, "encoding.py")
	require.Contains(t, places, "zero.py")
	delete(places, "zero.py")
	require.Equal(t, map[string]int{"unclosed.py": 2, "indent.py": 2, "last.py": 1}, places)
	require.NoFileExists(t, ran)
	require.NoDirExists(t, "__pycache__")

	near, err := filepath.Rel(here, python)
	require.NoError(t, err)
	again, bad := pyrunner.Compile(t.Context(), near, bundle, []string{"last.py"})
	require.Equal(t, version, again)
	require.Len(t, bad, 1)

	version, bad = pyrunner.Compile(t.Context(), filepath.Join(here, "no-python"), bundle, names)
	require.Empty(t, version)
	require.Empty(t, bad)
}
