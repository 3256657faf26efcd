package depcheck

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Limits in lines. Tests may be longer: their tables and cases are read one by one.
const (
	maxFileLines = 300
	maxTestLines = 400
	maxMainLines = 40
)

// vague are package names that say nothing of what is inside.
var vague = []string{"util", "utils", "common", "helper", "helpers", "types", "errors", "misc"}

// generated is the line by which Go tools know generated code.
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFilesStaySmall(t *testing.T) {
	eachGoFile(t, func(t *testing.T, name string, text []byte) {
		lines := bytes.Count(text, []byte("\n"))
		limit := maxFileLines
		switch {
		case strings.HasPrefix(name, "cmd/") && path.Base(name) == "main.go":
			limit = maxMainLines
		case strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test/"):
			limit = maxTestLines
		}
		require.LessOrEqualf(t, lines, limit, "%s is too long: split it by idea", name)
	})
}

func TestPackagesHaveNames(t *testing.T) {
	eachGoFile(t, func(t *testing.T, name string, _ []byte) {
		folder := path.Base(path.Dir(name))
		require.Falsef(t, slices.Contains(vague, folder), "%s: package name %q says nothing: name what it holds", name, folder)
	})
}

// eachGoFile calls check with every Go file of the repository written by hand;
// names are relative to its root.
func eachGoFile(t *testing.T, check func(t *testing.T, name string, text []byte)) {
	t.Helper()
	eachFile(t, func(t *testing.T, name string, text []byte) {
		if path.Ext(name) == ".go" {
			check(t, name, text)
		}
	})
}

// eachFile does the same with every file.
func eachFile(t *testing.T, check func(t *testing.T, name string, text []byte)) {
	t.Helper()
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "bin" || name == "dist"):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		if !generated.Match(text) {
			check(t, name, text)
		}
		return nil
	})
	require.NoError(t, err)
}
