package krt

import (
	"os"
	"path"

	"krt.dev/kn-krt/pkg/krt/usercode"
)

// Kind is what runs a node.
type Kind int

// The kinds of nodes.
const (
	// KindImage is a node whose image holds the code already: it has no src, and only a
	// cluster can run it.
	KindImage Kind = iota
	// KindPython is a src that ends in .py.
	KindPython
	// KindGoSource is a src that is a folder with Go files, or a .go file.
	KindGoSource
	// KindGoBinary is a src that is an executable file.
	KindGoBinary
	// KindKo is an image ko://path: Go built from that import path of the manifest's own module.
	KindKo
)

// String returns the kind as a person calls it.
func (k Kind) String() string {
	return [...]string{"image", "Python", "Go", "Go binary", "ko"}[k]
}

// Kind returns what runs the node n of the bundle.
func (b *Bundle) Kind(n Node) Kind { return b.kinds[n.Name] }

// Generation returns that of the bundle's node n, and false for one whose code shows none.
func (b *Bundle) Generation(n Node) (g usercode.Generation, ok bool) {
	switch b.Kind(n) {
	case KindPython:
		return usercode.PythonGeneration(b.FS(), n.Src, n.Image), true
	case KindGoSource:
		g = usercode.GoGeneration(b.FS(), goFolder(n))
		return g, g.Dicts
	}
	return usercode.Generation{}, false
}

// InTurn reports whether node n is a Go node of the original's module, which handles one
// message at a time unless its workers are set. It is false for one that is built from an import path
// (ko://), because its code is not known.
func (b *Bundle) InTurn(n Node) bool { return b.inTurn[n.Name] }

// inTurn is InTurn for a node of that kind.
func inTurn(root *os.Root, n Node, kind Kind) bool {
	switch kind {
	case KindGoSource:
		return usercode.UsesOriginal(root.FS(), goFolder(n))
	case KindGoBinary:
		return usercode.LinkedWithOriginal(root, n.Src)
	}
	return false
}

// goFolder is the folder of a Go node's sources.
func goFolder(n Node) string {
	if path.Ext(n.Src) == ".go" {
		return path.Dir(n.Src)
	}
	return n.Src
}

// Outside returns what the go.mod that holds for folder, a path from the bundle's root, takes from
// outside the bundle; a vendor folder does not change it, as nodes are built with -mod=mod. What
// kn-krt brings itself does not count.
func (b *Bundle) Outside(folder string) ([]usercode.Replacement, error) {
	root, err := b.Open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return usercode.Outside(root, usercode.ModuleFile(root, folder)), nil
}
