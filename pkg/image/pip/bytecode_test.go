package pip

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// interpreter is this machine's Python.
func interpreter(t *testing.T) (with Interpreter, version string) {
	t.Helper()
	python, err := Installer{}.Find(t.Context(), t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	said, err := exec.Command(python, "-c", `import sys; print("%d.%d" % sys.version_info[:2])`).Output()
	require.NoError(t, err)
	version = strings.TrimSpace(string(said))
	with, ok := Installer{Python: python}.Matching(t.Context(), version)
	require.True(t, ok)
	require.True(t, filepath.IsAbs(with.Path))
	require.Contains(t, with.Build, version+".")
	return with, version
}

// Packages with their bytecode are imported from it, without a look at the source; what does not compile is left out, and
// the bytes are the same each time.
func TestCompile(t *testing.T) {
	with, version := interpreter(t)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "one.py"), "WHERE = 'compiled'\nassert WHERE in {'a', 'b', 'compiled', 'd'}\n")
	write(t, filepath.Join(folder, "old.py"), "print 'of Python 2'\n")
	write(t, filepath.Join(folder, "nul.py"), "X = '\x00'\n")
	write(t, filepath.Join(folder, "deep.py"), strings.Repeat("(", 1<<16)+"\n")
	write(t, filepath.Join(folder, "large.py"), "#"+strings.Repeat("x", maxSource)+"\n")
	write(t, filepath.Join(folder, strings.Repeat("n", 248)+".py"), "X = 'a name for which there is no room'\n")
	var long strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&long, "X = '%05d' * 800\n", i)
	}
	write(t, filepath.Join(folder, "long.py"), long.String())
	write(t, filepath.Join(folder, "data.txt"), "X = 1\n")
	ran := filepath.Join(t.TempDir(), "ran")
	write(t, filepath.Join(folder, "json.py"), fmt.Sprintf("open(%q, 'w')\n", ran)) // a name that the compiler imports
	for i := range 40 {
		write(t, filepath.Join(folder, "package", fmt.Sprintf("module%d.py", i)), fmt.Sprintf("import one\nX = one.WHERE, %d, 'module'\n", i))
	}
	write(t, filepath.Join(folder, "name\nüñ.py"), "X = 1\n")
	// What would be in the way of the bytecode of one.py.
	write(t, filepath.Join(folder, "__pycache__", "one.cpython-"+strings.ReplaceAll(version, ".", "")+".pyc", "x.py"), "X = 1\n")
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(folder, "link.py")))
	made := func() string {
		to := t.TempDir()
		require.NoError(t, with.Compile(t.Context(), folder, to, "/place"))
		return to
	}
	to := made()
	first, second := files(t, to), files(t, made())
	require.Equal(t, first, second)
	tag := ".cpython-" + strings.ReplaceAll(version, ".", "") + ".pyc"
	require.Contains(t, first, "package/__pycache__/module39"+tag)
	require.Contains(t, first, "__pycache__/name\nüñ"+tag)
	require.Len(t, first, 43, "one.py, json.py, the one of an odd name and the package's")
	require.NoFileExists(t, ran)

	require.NoError(t, os.RemoveAll(filepath.Join(folder, "__pycache__")))
	require.NoError(t, os.Rename(filepath.Join(to, "__pycache__"), filepath.Join(folder, "__pycache__")))
	write(t, filepath.Join(folder, "one.py"), "WHERE = 'source'\n")
	cmd := exec.Command(with.Path, "-S", "-s", "-c", "import one; print(one.WHERE, one.__cached__)")
	cmd.Dir, cmd.Env = folder, []string{"PYTHONDONTWRITEBYTECODE=1"}
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	require.Contains(t, string(said), "compiled "+filepath.Join(folder, "__pycache__", "one"+tag))
}

// changed is an interpreter for which a part of the code that compiles is another.
func changed(t *testing.T, part, other string) Interpreter {
	t.Helper()
	with, _ := interpreter(t)
	require.Equal(t, 1, strings.Count(bytecodeCode, part))
	code := filepath.Join(t.TempDir(), "code.py")
	write(t, code, strings.Replace(bytecodeCode, part, other, 1))
	program := filepath.Join(t.TempDir(), "python")
	write(t, program, fmt.Sprintf("#!/bin/sh\nshift 6\nexec %q -S -s -W ignore -c \"$(cat %q)\" \"$@\"\n", with.Path, code))
	require.NoError(t, os.Chmod(program, 0o700))
	return Interpreter{Path: program}
}

// A file that the compiler itself fails at is left out like one that has a mistake.
func TestCompileWhereTheCompilerFails(t *testing.T) {
	with := changed(t, "compile(text,", `exec("raise SystemError") if b"fail" in text else compile(text,`)
	folder, to := t.TempDir(), t.TempDir()
	for i := range 3 * compilers {
		write(t, filepath.Join(folder, fmt.Sprintf("module%02d.py", i)), "X = 1\n")
	}
	write(t, filepath.Join(folder, "module00.py"), "X = 'fail'\n") // the first of its process
	require.NoError(t, with.Compile(t.Context(), folder, to, "/place"))
	require.Len(t, files(t, to), 3*compilers-1)
}

// What constants come to is bounded in all, not only for a file.
func TestCompileStopsAtTooMuchBytecode(t *testing.T) {
	with := changed(t, "MOST = 512 << 20", "MOST = 1 << 20")
	folder, to := t.TempDir(), t.TempDir()
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "X = '%02d' * 1900\n", i)
	}
	for i := range 16 * compilers { // each comes to 150 KiB
		write(t, filepath.Join(folder, fmt.Sprintf("module%d.py", i)), text.String())
	}
	err := with.Compile(t.Context(), folder, to, "/place")
	require.EqualError(t, err, with.Path+": a part of their modules comes to more than 1 MiB of bytecode")
	written := 0
	for _, content := range files(t, to) {
		written += len(content)
	}
	require.LessOrEqual(t, written, compilers<<20)
}

// What is found on PATH may choose a Python by the user's environment, as shims of pyenv do: the one that was chosen compiles.
func TestMatchingBehindAShim(t *testing.T) {
	with, version := interpreter(t)
	shim := filepath.Join(t.TempDir(), "python")
	write(t, shim, fmt.Sprintf("#!/bin/sh\n[ -n \"$CHOSEN\" ] || exit 127\nexec %q \"$@\"\n", with.Path))
	require.NoError(t, os.Chmod(shim, 0o700))
	t.Setenv("CHOSEN", "yes")
	found, ok := Installer{Python: shim}.Matching(t.Context(), version)
	require.True(t, ok)
	require.Equal(t, with.Build, found.Build)
	folder, to := t.TempDir(), t.TempDir()
	write(t, filepath.Join(folder, "one.py"), "X = 1\n")
	require.NoError(t, found.Compile(t.Context(), folder, to, "/place"))
	require.Len(t, files(t, to), 1)
}

// An interpreter of another version makes nothing of use.
func TestMatchingNone(t *testing.T) {
	_, ok := Installer{}.Matching(t.Context(), "3.1")
	require.False(t, ok)
}

// An interpreter that does not say which it is in time is passed over.
func TestMatchingOfOneThatHangs(t *testing.T) {
	program := filepath.Join(t.TempDir(), "python")
	write(t, program, "#!/bin/sh\nsleep 600\necho never\n")
	require.NoError(t, os.Chmod(program, 0o700))
	name, is := ask(t.Context(), program, 10*time.Millisecond)
	require.Empty(t, name+is)
}

// A compiler that dies is an error with its name.
func TestCompileFails(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "one.py"), "X = 1\n")
	program := filepath.Join(t.TempDir(), "python")
	write(t, program, "#!/bin/sh\necho 'no memory' >&2\nexit 3\n")
	require.NoError(t, os.Chmod(program, 0o700))
	err := Interpreter{Path: program}.Compile(t.Context(), folder, t.TempDir(), "/place")
	require.EqualError(t, err, program+": no memory")
}

// files are those below folder with their content.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(folder, name))
		all[name] = string(text)
		return err
	}))
	return all
}
