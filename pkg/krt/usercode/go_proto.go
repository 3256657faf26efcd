package usercode

import (
	"io/fs"
	"strings"
)

// maxGenerated bounds how many generated Go files of a bundle are found.
const maxGenerated = 1000

// GeneratedGo returns the paths of the Go files in the bundle that were generated from protos, at most 1,000
// of them, in order; not those of dependencies in a folder vendor or of hidden folders.
func GeneratedGo(bundle fs.FS) (found []string) {
	walked := 0
	_ = fs.WalkDir(bundle, ".", func(name string, entry fs.DirEntry, err error) error {
		walked++
		switch {
		case walked > maxWalked || len(found) == maxGenerated:
			return fs.SkipAll
		case err != nil:
			return nil //nolint:nilerr // what cannot be read is not built either
		case entry.IsDir():
			if base := entry.Name(); base == "vendor" || name != "." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
		case strings.HasSuffix(name, ".pb.go"):
			found = append(found, name)
		}
		return nil
	})
	return found
}
