package krt

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
)

// goJSONPattern is the signature of a handler of kre-go up to 1.8.
var goJSONPattern = regexp.MustCompile(`\[\]byte[ \t]*,?\s*\)[ \t]*\([ \t]*(?:\w+[ \t]+)?(interface[ \t]*\{[ \t]*\}|any)[ \t]*,[ \t]*(?:\w+[ \t]+)?error[ \t]*\)`)

// GoGeneration tells by the Go files in and below folder of bundle which generation a node
// of the original's module is. Nothing is run.
func GoGeneration(bundle fs.FS, folder string) Generation {
	g := Generation{Why: "no handler in " + folder + " takes []byte"}
	files := 0
	_ = fs.WalkDir(bundle, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".go" || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // what cannot be read shows nothing
		}
		if files++; files > maxModules {
			return fs.SkipAll
		}
		text, err := readFileAtMost(bundle, name)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		if at := goJSONPattern.FindIndex(text); at != nil && originalPattern.Match(text) {
			g.Dicts = true
			g.Why = fmt.Sprintf("%s:%d has a handler that takes []byte", name, 1+bytes.Count(text[:at[0]], []byte("\n")))
			return fs.SkipAll
		}
		return nil
	})
	return g
}
