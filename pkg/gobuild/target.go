// Package gobuild builds Go nodes with the installed program alone: it carries the SDK's
// source, and says by which flags the go command uses it, whatever a node's go.mod says.
package gobuild

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"krt.dev/kn-krt/pkg/krt"
)

// ErrNoGo is returned for Go sources on a machine without Go.
var ErrNoGo = errors.New("there is no go command on PATH")

// Target is a Go main package to build. Nodes with equal targets share a binary.
type Target struct {
	// Folder is the absolute path of where the go command runs.
	Folder string
	// Pattern is what it builds: "." or an import path.
	Pattern string
	// Bundle is the absolute path of the bundle's folder, of whose protos the code may need
	// what it does not bring; "" for none.
	Bundle string
}

// TargetOf returns what to build for node n of b, and false when it needs no build.
func TargetOf(b *krt.Bundle, n krt.Node) (Target, bool) {
	src := filepath.Join(b.Dir, filepath.FromSlash(n.Src))
	switch b.Kind(n) {
	case krt.KindGoSource:
		if filepath.Ext(src) == ".go" {
			src = filepath.Dir(src)
		}
		return Target{Folder: src, Pattern: ".", Bundle: b.Dir}, true
	case krt.KindKo:
		return Target{Folder: b.Dir, Pattern: n.Image[len(krt.KoPrefix):]}, true
	}
	return Target{}, false
}

// Error says that a Go node does not compile.
type Error struct {
	Node string
	// Output is what the compiler said, with paths from the current folder.
	Output []string
}

// Error has the compiler's lines below the node's name.
func (e *Error) Error() string {
	return fmt.Sprintf("cannot build node %q:\n  %s", e.Node, strings.Join(e.Output, "\n  "))
}

// FromHere rewrites the path that a compiler's line begins with, relative to
// folder, to one from the current folder.
func FromHere(folder, line string) string {
	text := strings.TrimLeft(line, " \t")
	indent := line[:len(line)-len(text)]
	path, rest, ok := strings.Cut(text, ".go:")
	if !ok || filepath.IsAbs(path) || strings.ContainsAny(path, " \t") {
		return line
	}
	path = filepath.Join(folder, path+".go")
	if here, err := os.Getwd(); err == nil {
		if near, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(near, "..") {
			path = near
		}
	}
	return indent + path + ":" + rest
}
