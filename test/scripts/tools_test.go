package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// tests runs tools/test.sh in a folder with two modules and three versions. The programs that it starts
// are scripts that print what they are called for, and fail where there is a file called bad.
func tests(t *testing.T, environment []string, bad ...string) (string, error) {
	t.Helper()
	script, err := filepath.Abs("../../tools/test.sh")
	require.NoError(t, err)
	folder := t.TempDir()
	for name, text := range map[string]string{
		"tools/go":             "#!/bin/sh\necho \"$(basename \"$PWD\"): go $*\"\ntest ! -e bad\n",
		"bin/kn-krt":           "#!/bin/sh\necho \"kn-krt $*\"\ntest ! -e \"$2/bad\"\n",
		"one/go.mod":           "",
		"two/go.mod":           "",
		"functions/a/krt.yml":  "src: main.py",
		"functions/b/krt.yml":  "src: main.go",
		"functions/c/krt.yml":  "src: main.go",
		"functions/README.txt": "",
	} {
		file := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o755))
	}
	for _, name := range bad {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name, "bad"), nil, 0o644))
	}
	cmd := exec.CommandContext(t.Context(), "bash", script, "one", "two", "--", "functions/a", "functions/b", "functions/c")
	cmd.Dir = folder
	cmd.Env = append([]string{"PATH=" + filepath.Join(folder, "tools") + ":" + os.Getenv("PATH")}, environment...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAFailureDoesNotHideOthers(t *testing.T) {
	out, err := tests(t, []string{"RACE=-race", "KRT_PYTHON=python3"}, "one", "functions/b")
	require.Error(t, err)
	for _, line := range []string{
		`(?m)^one: go test -timeout 45m -p \d+ -race \./\.\.\.$`, `(?m)^two: go test .* -race \./\.\.\.$`,
		`(?m)go test -run TestAFloodOfLogs \./test/browser$`,
		`(?m)^kn-krt test functions/a$`, `(?m)^kn-krt test functions/b$`, `(?m)^kn-krt test functions/c$`,
		`(?m)^Failed:\n  the Go module in one\n  functions/b\n\z`,
	} {
		require.Regexp(t, line, out)
	}
}

func TestWhatThisMachineLacksIsLeftOut(t *testing.T) {
	out, err := tests(t, nil)
	require.NoError(t, err, out)
	require.Contains(t, out, "No C compiler found: testing without the race detector.\n")
	require.Contains(t, out, "Leaving out functions/a: it needs Python\n")
	require.NotContains(t, out, "-race")
	require.NotContains(t, out, "TestAFloodOfLogs")
	require.NotContains(t, out, "kn-krt test functions/a")
	require.Contains(t, out, "kn-krt test functions/b\n")
	require.NotContains(t, out, "Failed:")
}
