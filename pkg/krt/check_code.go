package krt

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt/usercode"
)

// checkCode checks the code of every node and notes what runs it.
func (r *reader) checkCode(root *os.Root, b *Bundle) {
	for i, n := range b.Manifest.Nodes {
		at := fmt.Sprintf("nodes[%d].src", i)
		switch {
		case r.reported(at):
		case strings.HasPrefix(n.Image, KoPrefix):
			b.kinds[n.Name] = KindKo
			if n.Src != "" {
				if _, err := root.Stat(n.Src); err != nil {
					r.noFile(at, root, n.Src, err)
				}
			}
		case n.Src != "":
			b.kinds[n.Name] = r.code(at, root, &b.Manifest.Nodes[i])
			b.inTurn[n.Name] = inTurn(root, b.Manifest.Nodes[i], b.kinds[n.Name])
		}
		if b.kinds[n.Name] == KindGoSource {
			r.checkModule(at, root, b, b.Manifest.Nodes[i])
		}
	}
	if slices.ContainsFunc(b.Manifest.Nodes, func(n Node) bool { return b.kinds[n.Name] == KindGoSource || b.kinds[n.Name] == KindKo }) {
		r.checkAssembly(root)
		r.checkGenerated(root, b.Messages)
	}
}

// code returns what runs n.Src, and reports what cannot be run. Where sources are used in
// the place of a program, it sets n.Src to them.
func (r *reader) code(at string, root *os.Root, n *Node) Kind {
	src := n.Src
	info, err := root.Stat(src)
	regular := err == nil && info.Mode().IsRegular()
	switch {
	case err != nil:
		return r.missing(at, root, n, err)
	case info.IsDir() && path.Ext(src) == ".py", !info.IsDir() && !regular:
		r.noFile(at, root, src, nil)
	case info.IsDir():
		r.checkGoFolder(at, root, src)
		return KindGoSource
	case path.Ext(src) == ".py":
		r.checkPython(at, root, src)
		return KindPython
	case path.Ext(src) == ".go":
		r.checkGo(at, root, src)
		return KindGoSource
	case info.Mode()&0o111 != 0 || usercode.IsProgram(root, src) && usercode.LinkedRunner(root, src) != "":
		return r.binary(at, root, n)
	default:
		return r.noProgram(at, root, n)
	}
	return KindImage
}

// noProgram returns what runs a node whose src is a file of no known kind, and reports it if
// nothing does.
func (r *reader) noProgram(at string, root *os.Root, n *Node) Kind {
	text, why := "%.80q is not a .py file, a .go file, a folder with Go sources or an executable file", "is not a program"
	if usercode.IsProgram(root, n.Src) {
		text, why = "%.80q is a program that is not executable; run chmod +x on it", "is a program that is not executable"
	}
	kind, ok := r.substitute(at, root, n, why)
	if !ok {
		r.field(at, text, n.Src)
	}
	return kind
}

// checkPython refuses a node written for runner 3, whose names this platform does not have.
func (r *reader) checkPython(at string, root *os.Root, src string) {
	text, err := usercode.Read(root.FS(), src)
	if err != nil {
		r.noFile(at, root, src, err)
		return
	}
	if later := usercode.LaterPython(text); later != "" {
		r.field(at, "%.80q is written for runner 3: it %s; kn-krt runs nodes of KRT V1: define handler(ctx, data) and return the message", src,
			later)
	} else if !usercode.DefinesHandler(text) {
		r.warn(at, "%.80q does not seem to define handler; the node cannot start without it", src)
	}
}
