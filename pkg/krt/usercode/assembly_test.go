package usercode_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/usercode"
)

func TestAssemblyIncludesNothingFromOutsideItsFolder(t *testing.T) {
	const outside = `, which is outside the folder of its package; put the file there`
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"the go command's own": {map[string]string{"src/n/a.s": "#include \"textflag.h\"\n#include \"go_asm.h\"\nTEXT ·f(SB), NOSPLIT, " +
			"$0\n\tRET\n"}, ""},
		"its own": {map[string]string{"src/n/a.s": "#include \"a.h\"\n#include \"sub/b.h\"\n", "src/n/a.h": "#define X 1\n",
			"src/n/sub/b.h": ""}, ""},
		"a constant":        {map[string]string{"src/n/a.s": "DATA path<>+0(SB)/8, $\"/etc/abc\"\n"}, ""},
		"a comment":         {map[string]string{"src/n/a.s": "// #include \"/etc/passwd\"\n/* #include \"/etc/passwd\" */\n"}, ""},
		"a character":       {map[string]string{"src/n/a.s": "MOVB $'\"', AX // /etc/passwd\"\n"}, ""},
		"what is not built": {map[string]string{"src/n/a.S": "#include \"/etc/passwd\"\n"}, ""},
		"not Go's": {map[string]string{"venv/lib/a.s": "\t.file 1 \"/home/me/x.c\"\n", "node_modules/a.s": "#include \"/etc/passwd\"\n",
			"venv/lib/x/x.go": "package x\n"}, ""},
		"a hidden folder": {map[string]string{"src/n/.x/x.s": "#include \"/etc/passwd\"\n", "src/n/.x/x.go": "package x\n"},
			`src/n/.x/x.s:1:10 includes "/etc/passwd"` + outside},
		"above what may be a link": {map[string]string{"src/n/a.s": "#include \"link/../secret\"\n"},
			`src/n/a.s:1:10 includes "link/../secret"` + outside},
		"absolute": {map[string]string{"src/n/a.s": "\n  #include \"/etc/passwd\"\n"}, `src/n/a.s:2:12 includes "/etc/passwd"` +
			outside},
		"above": {map[string]string{"src/n/a.s": "#include \"../../../secret\"\n"},
			`src/n/a.s:1:10 includes "../../../secret"` + outside},
		"escaped": {map[string]string{"src/n/a.s": `#include "\x2fetc\x2fpasswd"`},
			`src/n/a.s:1:10 includes "\x2fetc\x2fpasswd"` + outside},
		"spaces and comments":       {map[string]string{"src/n/a.s": "#/*x*/ include /* \" */ \"/etc/passwd\"\n"}, `src/n/a.s:1:24 includes`},
		"a macro for the directive": {map[string]string{"src/n/a.s": "#define H # include\nH \"/etc/passwd\"\n"}, `src/n/a.s:2:3 includes`},
		"a macro for the sign": {map[string]string{"src/n/a.s": "#define H(x) #\nH($) include \"/etc/passwd\"\n"},
			`src/n/a.s:2:14 includes`},
		"by another file": {map[string]string{"src/n/a.s": "#include \"b.txt\"\n", "src/n/b.txt": "#include \"c\"\n",
			"src/n/c": "#include \"/etc/passwd\"\n"}, `src/n/c:1:10 includes`},
		"in a folder below": {map[string]string{"src/n/a.s": "#include \"sub/b\"\n", "src/n/sub/b": "#include \"../secret\"\n"},
			`src/n/sub/b:1:10 includes`},
		"in circles": {map[string]string{"src/n/a.s": "#include \"a.s\"\n#include \"/x\"\n"}, `src/n/a.s:2:10 includes`},
		"behind much else": {map[string]string{"src/n/a.s": strings.Repeat("//\n", 2<<20)},
			`src/n/a.s:0:0 is larger than 4194304 bytes: split the assembly into several files`},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := fstest.MapFS{"src/n/main.go": &fstest.MapFile{}}
			for file, text := range c.files {
				bundle[file] = &fstest.MapFile{Data: []byte(text)}
			}
			found := usercode.Includes(bundle)
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, fmt.Sprintf("%s:%d:%d %s", found[0].File, found[0].Line, found[0].Column, found[0].Text), c.want)
		})
	}
}

// A link out of the bundle would have lines of its target printed, as an include would.
func TestAssemblyLeadsNowhereByLinks(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.s"), []byte("#include \"sub/secret\"\n"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "sub")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "b.s")))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	var found []string
	for _, one := range usercode.Includes(root.FS()) {
		found = append(found, one.File+": "+one.Text)
	}
	require.Equal(t, []string{
		"sub/secret: cannot be checked as assembly: path escapes from parent", "b.s: cannot be checked as assembly: path escapes from parent",
	}, found)
}

// crowd is a folder of more files than are walked through.
type crowd struct{ fstest.MapFS }

func (c crowd) ReadDir(string) ([]fs.DirEntry, error) {
	entries, err := c.MapFS.ReadDir(".")
	for len(entries) <= 1<<20 {
		entries = append(entries, entries...)
	}
	return entries, err
}

func TestAssemblyInACrowdIsRefused(t *testing.T) {
	found := usercode.Includes(crowd{fstest.MapFS{"x": &fstest.MapFile{}}})
	require.Len(t, found, 1)
	require.Contains(t, found[0].Text, "more than 1048576 files and folders")
}
