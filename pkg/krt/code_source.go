package krt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// instead returns the folder with the sources of a Go program that node n names as src
// and that is missing or cannot run here: src/<program> or src/<node>; "" if neither is
// there. The original demanded a program where its users kept the sources as well.
func instead(root *os.Root, n Node) string {
	if path.Ext(n.Src) != "" {
		return ""
	}
	for _, name := range []string{path.Base(n.Src), n.Name} {
		if folder := path.Join("src", name); folder != n.Src && goSources(root, folder) {
			return folder
		}
	}
	return ""
}

// goSources tells whether folder holds Go files.
func goSources(root *os.Root, folder string) bool {
	return slices.ContainsFunc(untrusted.Names(root, folder), func(name string) bool { return path.Ext(name) == ".go" })
}

// sourceHint names the folders that may hold the sources of a program, up to three.
func sourceHint(root *os.Root) string {
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

// substitute returns what runs the node whose program, at n.Src, is missing (why: "is
// not in the bundle") or useless: its sources, if they are there. Ok says that they are.
func (r *reader) substitute(at string, root *os.Root, n *Node, why string) (kind Kind, ok bool) {
	folder := instead(root, *n)
	if folder == "" {
		return KindImage, false
	}
	r.add(Problem{Warning: true, Note: true, Shown: true,
		Text: fmt.Sprintf("node %q: src %.80q %s; %q is built and run", n.Name, n.Src, why, folder)}, at)
	n.Src = folder
	r.checkGoFolder(at, root, folder)
	return KindGoSource, true
}

// missing returns what runs a node whose src is not there, and reports it if nothing does.
func (r *reader) missing(at string, root *os.Root, n *Node, err error) Kind {
	if errors.Is(err, fs.ErrNotExist) {
		if kind, ok := r.substitute(at, root, n, "is not in the bundle"); ok {
			return kind
		}
		if path.Ext(n.Src) == "" {
			if folders := sourceHint(root); folders != "" && !slices.Contains(neighbours(root, n.Src), n.Src) {
				r.field(at, "%.80q is not in the bundle; to have the program built, give the folder with its Go sources: %s", n.Src, folders)
				return KindImage
			}
		}
	}
	r.noFile(at, root, n.Src, err)
	return KindImage
}
