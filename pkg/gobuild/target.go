// Package gobuild builds Go nodes with the installed program alone: it carries the SDK's
// source, and returns the flags by which the go command uses it, whatever a node's go.mod contains.
package gobuild

import (
	"cmp"
	"errors"
	"path/filepath"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/usercode"
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
	// what it does not bring. "" is for a folder that is all there is of the bundle's Go code.
	Bundle string
}

// root is the folder above which nothing is part of the bundle.
func (t Target) root() string { return cmp.Or(t.Bundle, t.Folder) }

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

// module returns the module of t's package: that of the nearest go.mod in its folder or above, as the go
// command would, up to the bundle's root. One above it is not the bundle's: it is on this machine alone, and
// packages of the folders there would become part of what a stranger's bundle builds.
func (t Target) module() module {
	for dir := t.Folder; ; dir = filepath.Dir(dir) {
		if usercode.HasModule(dir) {
			return module{root: dir}
		}
		if dir == t.root() || dir == filepath.Dir(dir) {
			return module{root: t.Folder, none: true}
		}
	}
}

// above returns the go.mod above the bundle in which the go command would build t if the bundle were not
// there; "" if there is none, or t has one in the bundle.
func (t Target) above() string {
	if !t.module().none {
		return ""
	}
	return usercode.ModuleAbove(t.root())
}
