package pip

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What takes scripts out of wheels may miss something: while pip unpacks one, it writes to its own folder only.
func TestPipWritesToItsFolder(t *testing.T) {
	python, err := Installer{}.Find(t.Context(), t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	folder, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "kept"), "mine")
	attempts := `
import os, shutil, sys
code, kept, outside = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)
try:
    exec(code)
except SystemExit as end:
    assert not end.code, end.code
os.symlink(outside, "link")
unpacking = True
open("own", "w").close()
os.mkdir("folder")
os.replace("own", "folder/own")
for attempt in (
    lambda: open(kept, "w"), lambda: open(kept, "r+"), lambda: os.open(kept, os.O_APPEND | os.O_WRONLY), lambda: open("link/new", "x"),
    lambda: os.replace("folder/own", kept), lambda: os.rename(kept, "mine"), lambda: shutil.move(kept, "mine"),
    lambda: os.link(kept, "mine"), lambda: shutil.copy("folder/own", outside), lambda: open(b"../escaped", "w"),
    lambda: os.remove(kept), lambda: os.truncate(kept, 0), lambda: os.chmod(kept, 0o777), lambda: os.mkdir(outside + "/new"),
    lambda: os.symlink("own", outside + "/new"), lambda: os.symlink(outside, "other"),
):
    try:
        attempt()
    except PermissionError as error:
        assert "outside of the folder" in str(error), error
    else:
        raise AssertionError(attempt)
open(kept).close()
`
	cmd := exec.CommandContext(t.Context(), python, "-c", attempts, pipCode, filepath.Join(outside, "kept"), outside, "{}", "--version")
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Len(t, left, 1)
	text, err := os.ReadFile(filepath.Join(outside, "kept"))
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))
}
