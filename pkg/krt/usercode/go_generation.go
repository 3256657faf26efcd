package usercode

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// goJSONPattern is the signature of a handler of kre-go up to 1.8.
var goJSONPattern = regexp.MustCompile(`\[\]byte[ \t]*,?\s*\)[ \t]*` +
	`\([ \t]*(?:\w+[ \t]+)?(interface[ \t]*\{[ \t]*\}|any)[ \t]*,[ \t]*(?:\w+[ \t]+)?error[ \t]*\)`)

// GoGeneration determines which generation a node of the original's module is, from the Go files in and
// below folder of bundle. Nothing is run.
func GoGeneration(bundle fs.FS, folder string) Generation {
	g := Generation{Why: "no handler in " + folder + " takes []byte"}
	walkOriginalGo(bundle, folder, func(name string, text []byte) (stop bool) {
		if at := goJSONPattern.FindIndex(text); at != nil {
			g.Dicts = true
			g.Why = fmt.Sprintf("%s:%d has a handler that takes []byte", name, 1+bytes.Count(text[:at[0]], []byte("\n")))
		}
		return g.Dicts
	})
	return g
}

// UsesOriginal reports whether a Go file in or below folder of bundle imports the original's module.
func UsesOriginal(bundle fs.FS, folder string) (found bool) {
	walkOriginalGo(bundle, folder, func(string, []byte) bool {
		found = true
		return true
	})
	return found
}

const (
	maxGoFiles = 20_000   // of a node that are opened
	maxGoBytes = 64 << 20 // of them that are read
)

// walkOriginalGo calls visit for the Go files in and below folder that import the
// original's runner, until visit returns true. Those of folder itself come first: with many
// others not all are read. What the go command does not build shows nothing.
func walkOriginalGo(bundle fs.FS, folder string, visit func(name string, text []byte) (stop bool)) {
	w := goWalk{bundle: bundle, visit: visit}
	folder = path.Clean(folder)
	own, _ := fs.ReadDir(bundle, folder) // what cannot be read shows nothing
	for _, entry := range own {
		if !entry.IsDir() && !w.file(path.Join(folder, entry.Name()), entry) {
			return
		}
	}
	_ = fs.WalkDir(bundle, folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || name == folder:
			return nil //nolint:nilerr // as above
		case entry.IsDir() && !builtFolder(entry.Name()):
			return fs.SkipDir
		case !entry.IsDir() && path.Dir(name) != folder && !w.file(name, entry):
			return fs.SkipAll
		}
		return nil
	})
}

// builtFolder reports whether the go command may build what a folder of that name holds for "./...".
func builtFolder(name string) bool {
	return name != "vendor" && name != "testdata" && name[0] != '.' && name[0] != '_'
}

// goWalk reads Go files.
type goWalk struct {
	bundle       fs.FS
	files, bytes int // so far
	visit        func(name string, text []byte) (stop bool)
}

// file reads one and returns whether to continue.
func (w *goWalk) file(name string, entry fs.DirEntry) bool {
	if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || !entry.Type().IsRegular() {
		return true
	}
	text, err := Read(w.bundle, name)
	if err == nil && originalPattern.Match(text) && w.visit(name, text) {
		return false
	}
	w.files++
	w.bytes += len(text)
	return w.files < maxGoFiles && w.bytes < maxGoBytes
}
