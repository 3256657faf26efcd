// Package gobuild builds Go nodes with the installed program alone: it carries the SDK's
// source, and returns the flags by which the go command uses it, whatever a node's go.mod contains.
package gobuild

import (
	"errors"
	"path/filepath"

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
