package archive

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree are files of every kind that the patterns below are about.
var tree = []string{
	"a", "a.log", "b.log", "x/a", "x/a.log", "x/y/a", "x/y/z/a", "x/y/z/b", "keep/x", "keep/deep/x", "docs/a.md", "src/docs/a.md",
	"!bang", "#hash", "space ", "a[b", "b", "ab", "abc", "é", "x/é.log", "{a,b}", "-", "]", "models/m.bin", "src/models/m.bin", "a*b",
}

// What git leaves out is left out.
func TestPatternsAreGits(t *testing.T) {
	for _, patterns := range [][]string{
		{"*.log"}, {"/a"}, {"a"}, {"x/"}, {"x/y"}, {"/x/y/"}, {"x/*"}, {"x/**"}, {"**/a"}, {"x/**/a"}, {"**"}, {"**/"}, {"x/**/"}, {"a**"},
		{"keep/*", "!keep/deep"}, {"keep/**", "!keep/deep/", "!keep/deep/**"}, {"keep", "!keep/x"}, {"*.log",
			"!b.log"}, {"docs/"}, {"/docs/"}, {"docs/a.md"},
		{`\!bang`}, {`\#hash`}, {"#hash"}, {`space\ `}, {"space "}, {"  a"}, {"a  "}, {"[ab]"}, {"[!a]"}, {"[^a]*"}, {"[a-b]"}, {"[]]"}, {"[!]]"},
		{"[]-]"}, {"[a-]"}, {`[\]]`},
		{`a\[b`}, {"a[[]b"}, {"a[b"}, {"?"}, {"??"}, {"x?a"}, {"x[/]a"}, {"*"}, {"*", "!x/"}, {"/*",
			"!/x"}, {"{a,b}"}, {"é"}, {"?.log"}, {"[é]"}, {`a\*b`}, {`a\`}, {"[[:alpha:]]"}, {"[![:alpha:]]"},
		{"/"}, {"//"}, {"!"}, {""}, {"x//a"}, {"/x/./a"}, {"a/"}, {"models/",
			"!src/models/"}, {"*/models"}, {"**/models/"}, {"[z-a]"}, {"[a-a]"}, {"abc\r"}, {"x/**/**/a"}, {"***/a"},
	} {
		t.Run(strings.Join(patterns, "|"), func(t *testing.T) {
			sameAsGit(t, tree, map[string]string{".gitignore": strings.Join(patterns,
				"\n")})
		})
	}
}

func TestNestedFilesOfPatternsAreGits(t *testing.T) {
	sameAsGit(t, tree, map[string]string{
		".gitignore": "*.log\na\n", "x/.gitignore": "!a\n/y/z/b\n", "x/y/.gitignore": "a\n!z/a\n", "keep/.gitignore": "/deep\n",
		"src/.gitignore": "!*\n",
	})
}

// sameAsGit makes files, and files of patterns, and compares what is left.
func sameAsGit(t *testing.T, files []string, patterns map[string]string) {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("no git to compare with")
	}
	dir := t.TempDir()
	for _, name := range files {
		writeFile(t, filepath.Join(dir, name), "")
	}
	for name, text := range patterns {
		writeFile(t, filepath.Join(dir, name), text)
	}
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), git, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_CEILING_DIRECTORIES="+path.Dir(dir))
		out, err := cmd.Output()
		require.NoError(t, err)
		return out
	}
	run("init", "-q")
	var want []string
	for _, name := range strings.Split(string(bytes.TrimSuffix(run("ls-files", "-z", "--others", "--exclude-standard"), []byte{0})), "\x00") {
		if name != "" && path.Base(name) != ".gitignore" {
			want = append(want, name)
		}
	}
	slices.Sort(want)

	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	g := &ignorer{root: root, git: true, most: 1 << 30}
	_, err = g.read(gitIgnore, "")
	require.NoError(t, err)
	w := &walker{root: root, ignore: g, seen: newInventory(Limits{}.withDefaults()), left: func(string, os.DirEntry, *rule) {}}
	var got []string
	require.NoError(t, w.walk(t.Context(), func(name string, d os.DirEntry) error {
		if !d.IsDir() && path.Base(name) != ".gitignore" && !strings.HasPrefix(name, ".git/") {
			got = append(got, name)
		}
		return nil
	}))
	slices.Sort(got)
	require.Equal(t, want, got)
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// A pattern is a glob or an error, whatever it is; a name without special characters is itself.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"*.log", "a/**/b", "[!a-z]", `\`, "[[:alpha:]", "!**/", "[\\", "[a-\\", "[]"} {
		f.Add(seed, "src/a.log")
	}
	f.Fuzz(func(t *testing.T, line, name string) {
		p, ok, err := parsePattern(line)
		if err != nil || !ok {
			return
		}
		text := bytesAsText(name)
		if p.glob.MatchString(text) != p.match(name, text) {
			t.Fatalf("%q does not decide as its glob about %q", line, name)
		}
		if line == name && !strings.ContainsAny(line, `*?[\!#/ `+"\r\n") && !p.match(name, text) {
			t.Fatalf("%q does not match itself", name)
		}
	})
}
