package usercode

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// Instead returns the folder with the sources of a Go program that a node names as src and that is
// missing or cannot run here: src/<program> or src/<node>; "" if neither is there. The original
// demanded a program where its users kept the sources as well.
func Instead(root *os.Root, node, src string) string {
	if path.Ext(src) != "" {
		return ""
	}
	for _, name := range []string{path.Base(src), node} {
		if folder := path.Join("src", name); folder != src && goSources(root, folder) {
			return folder
		}
	}
	return ""
}

// goSources reports whether folder holds Go files.
func goSources(root *os.Root, folder string) bool {
	return slices.ContainsFunc(untrusted.Names(root, folder), func(name string) bool { return path.Ext(name) == ".go" })
}

// SourceHint names the folders that may hold the sources of a program, up to three.
func SourceHint(root *os.Root) string {
	var found []string
	for _, name := range append([]string{"."}, untrusted.Names(root, "src")...) {
		folder := "src"
		if name != "." {
			folder = path.Join("src", name)
		}
		if goSources(root, folder) {
			found = append(found, fmt.Sprintf("%q", folder))
		}
		if len(found) == 3 {
			break
		}
	}
	if len(found) == 0 {
		return ""
	}
	return strings.Join(found, " or ")
}
