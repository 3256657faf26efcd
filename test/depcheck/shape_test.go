package depcheck

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Limits of what is read at once: a package in lines, a line in columns, and
// 99 of 100 functions in lines.
const (
	maxPackageLines  = 3500
	maxColumns       = 140
	maxFunctionLines = 45
)

// unbreakable are lines that cannot be wrapped: a row of a Markdown table, a marker
// of controller-gen, a line of JSON in the wanted output of a test.
var unbreakable = regexp.MustCompile(`^(\||\s*// \+kubebuilder:|\s*\{")`)

func TestPackagesStaySmall(t *testing.T) {
	lines := map[string]int{}
	eachGoFile(t, func(_ *testing.T, name string, text []byte) {
		if !strings.HasSuffix(name, "_test.go") {
			lines[path.Dir(name)] += bytes.Count(text, []byte("\n"))
		}
	})
	for _, folder := range slices.Sorted(maps.Keys(lines)) {
		require.LessOrEqualf(t, lines[folder], maxPackageLines, "package %s is too large: split it by idea", folder)
	}
}

func TestFunctionsStaySmall(t *testing.T) {
	type function struct {
		lines int
		name  string
	}
	var all []function
	eachGoFile(t, func(t *testing.T, name string, text []byte) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				lines := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1
				all = append(all, function{lines, name + ": " + f.Name.Name})
			}
		}
	})
	slices.SortFunc(all, func(a, b function) int { return cmp.Compare(a.lines, b.lines) })
	at := len(all) * 99 / 100
	require.LessOrEqualf(t, all[at].lines, maxFunctionLines,
		"one function in a hundred may have more than %d lines; these are the longest: %v", maxFunctionLines, all[at:])
}

func TestLinesStayShort(t *testing.T) {
	eachFile(t, func(t *testing.T, name string, text []byte) {
		if !wraps(name) {
			return
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			one := unbreakable.Match(line)
			assert.Truef(t, one || utf8.RuneCount(line) <= maxColumns, "%s:%d is longer than %d columns", name, i+1, maxColumns)
		}
	})
}

// wraps reports whether lines of the named file are ours to break: code and
// prose, but no inputs and outputs of tests, and no generated Python.
func wraps(name string) bool {
	inputs := strings.Contains(name, "/testdata/") || strings.HasPrefix(name, "test/bundles/") || strings.HasSuffix(name, "_pb2.py")
	switch path.Ext(name) {
	case ".go", ".md", ".py", ".sh":
		return !inputs
	}
	return path.Base(name) == "Makefile"
}
