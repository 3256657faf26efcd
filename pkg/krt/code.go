package krt

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// maxCode is how much of a Python file is looked at, in bytes.
const maxCode = 1 << 20

// What tells the generations of Python nodes apart. Text is enough: a wrong guess is possible
// only where a name stands in a string, and running the code to know would be unsafe.
var (
	handlerPattern = regexp.MustCompile(`(?m)^((async[ \t]+)?def[ \t]+handler[ \t]*\(|handler[ \t]*[:=]|(from|import)[ \t].*(\bhandler\b|\*))`)
	defaultPattern = regexp.MustCompile(`(?m)^((async[ \t]+)?def[ \t]+default_handler[ \t]*\(|default_handler[ \t]*[:=])`)
	outputPattern  = regexp.MustCompile(`(?m)^[^#\n]*\bctx\.(send_output|send_any)[ \t]*\(`)
)

// checkCode looks at the code of every node and notes what runs it.
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
			r.checkReplace(root, b.Manifest.Nodes[i].Src)
		}
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
	case info.Mode()&0o111 != 0 || executable(root, src) && originalRunner(root, src) != "":
		return r.binary(at, root, n)
	default:
		return r.noProgram(at, root, n)
	}
	return KindImage
}

// noProgram returns what runs a node whose src is a file of no known kind, and reports it if
// nothing does.
func (r *reader) noProgram(at string, root *os.Root, n *Node) Kind {
	text, why := "%.80q is neither a .py file, a .go file, a folder with Go sources nor an executable file", "is not a program"
	if executable(root, n.Src) {
		text, why = "%.80q is a program without the permission to be executed; run chmod +x on it", "is a program without the permission to be executed"
	}
	kind, ok := r.substitute(at, root, n, why)
	if !ok {
		r.field(at, text, n.Src)
	}
	return kind
}

// checkPython refuses a node written for runner 3, whose names this platform does not have.
func (r *reader) checkPython(at string, root *os.Root, src string) {
	text, err := untrusted.ReadFile(root.FS(), src, maxCode)
	if err != nil {
		r.noFile(at, root, src, err)
		return
	}
	const advice = "kn-krt runs nodes of KRT V1: define handler(ctx, data) and return the message"
	hasHandler := handlerPattern.Match(text)
	switch output := outputPattern.FindSubmatch(text); {
	case defaultPattern.Match(text) && !hasHandler:
		r.field(at, "%.80q is written for runner 3: it defines default_handler; %s", src, advice)
	case output != nil:
		r.field(at, "%.80q is written for runner 3: it calls ctx.%s; %s", src, output[1], advice)
	case !hasHandler:
		r.warn(at, "%.80q seems to define no handler; without one the node does not start", src)
	}
}

// executable tells whether src begins like a program for Linux.
func executable(root *os.Root, src string) bool {
	magic, err := untrusted.ReadFile(root.FS(), src, 4)
	return err == nil && string(magic) == "\x7fELF"
}
