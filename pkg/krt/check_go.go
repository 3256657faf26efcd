package krt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt/usercode"
)

// checkGoFolder reports a folder without Go sources, with what may be meant, and checks the files of one
// that has them.
func (r *reader) checkGoFolder(at string, root *os.Root, src string) {
	sources, python := false, ""
	for _, file := range neighbours(root, src+"/x") {
		if path.Dir(file) != src {
			continue
		}
		if path.Ext(file) == ".go" {
			if sources = true; r.checkGo(at, root, file) {
				return
			}
		}
		if path.Ext(file) == ".py" && (python == "" || path.Base(file) == "main.py") {
			python = file
		}
	}
	if sources {
		return
	}
	hint := ""
	if python != "" {
		hint = fmt.Sprintf("; did you mean %q?", python)
	}
	r.field(at, "%.80q is a folder without Go sources%s", src, hint)
}

// checkGo refuses a Go file of a node written for runner 3 or later, which would not compile.
// It returns whether it did. A file that cannot be read is left to the compiler.
func (r *reader) checkGo(at string, root *os.Root, src string) (refused bool) {
	text, err := usercode.Read(root.FS(), src)
	if err != nil {
		return false
	}
	later := usercode.LaterGo(text)
	if later == "" {
		return false
	}
	r.field(at, "%.80q is written for runner 3 or later: it %s; kn-krt runs nodes of KRT V1: import "+
		"github.com/konstellation-io/kre-runners/kre-go and let the handler return (proto.Message, error)", src, later)
	return true
}

// binary returns what runs the program n.Src: itself, or its sources where it is linked with
// the original platform's runner, because that would wait for a NATS server that does not exist.
func (r *reader) binary(at string, root *os.Root, n *Node) Kind {
	linked := usercode.LinkedRunner(root, n.Src)
	if linked == "" {
		return KindGoBinary
	}
	if kind, ok := r.substitute(at, root, n, "is linked with "+linked+", which needs the original platform"); ok {
		return kind
	}
	folders := usercode.SourceHint(root)
	if folders != "" {
		folders = " (" + folders + ")"
	}
	r.field(at, "%.80q is linked with %s, which needs the original platform; set src to its source folder%s, "+
		"and kn-krt builds it with its own runner", n.Src, linked, folders)
	return KindGoBinary
}

// substitute returns what runs the node whose program, at n.Src, is missing (why: "is
// not in the bundle") or useless: its sources, if they exist. ok is true if they do.
func (r *reader) substitute(at string, root *os.Root, n *Node, why string) (kind Kind, ok bool) {
	folder := usercode.Instead(root, n.Name, n.Src)
	if folder == "" {
		return KindImage, false
	}
	r.add(Problem{Warning: true, Note: true, Shown: true,
		Text: fmt.Sprintf("node %q: src %.80q %s; %q is built and run instead", n.Name, n.Src, why, folder)}, at)
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
			if folders := usercode.SourceHint(root); folders != "" && !slices.Contains(neighbours(root, n.Src), n.Src) {
				r.field(at, "%.80q is not in the bundle; to have it built, set src to the folder with its Go sources: %s", n.Src, folders)
				return KindImage
			}
		}
	}
	r.noFile(at, root, n.Src, err)
	return KindImage
}

// checkModule warns of what a Go node's go.mod takes from outside the bundle: it builds on
// this machine only, and no image is made of it.
func (r *reader) checkModule(at string, root *os.Root, b *Bundle, n Node) {
	name := usercode.ModuleFile(root, goFolder(n))
	if name == "" {
		r.checkVersions(at, root, b, n)
	}
	if r.modules[name] {
		return
	}
	r.modules[name] = true
	for _, o := range usercode.Outside(root, name) {
		r.add(Problem{File: o.File, Line: o.Line, Column: o.Column, Warning: true, Text: o.Text()}, "")
	}
}

// checkVersions warns that nothing says with which versions of modules a Go node is built, of which the bundle has no go.mod:
// one of the repository that the bundle is in is not used.
func (r *reader) checkVersions(at string, root *os.Root, b *Bundle, n Node) {
	imports := usercode.Unpinned(root.FS(), goFolder(n))
	if len(imports) == 0 {
		return
	}
	const shown = 3
	named := strings.Join(imports[:min(len(imports), shown)], ", ")
	if more := len(imports) - shown; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	unused := ""
	if above := usercode.ModuleAbove(b.Dir); above != "" && !b.Archive {
		if near, err := filepath.Rel(b.Dir, above); err == nil {
			above = filepath.ToSlash(near)
		}
		unused = fmt.Sprintf(", and %.80q above the bundle is not used", above)
	}
	r.warn(at, "there is no go.mod for it in the bundle%s: the newest versions of what it imports are taken (%s); "+
		"make one (go mod init), and require there the versions that you want", unused, named)
}

// checkAssembly refuses assembly that includes files from elsewhere, for any package of the bundle that a Go
// node may import: what the assembler does not understand of them, it prints.
func (r *reader) checkAssembly(root *os.Root) {
	for _, one := range usercode.Includes(root.FS()) {
		r.add(Problem{File: one.File, Line: one.Line, Column: one.Column, Text: one.Text}, "")
	}
}
