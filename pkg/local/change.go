package local

import (
	"path"
	"path/filepath"
	"strings"

	"krt.dev/kn-krt/pkg/krt"
)

// change is what a set of changed files means for a running version.
type change struct {
	// version: the manifest or a proto changed, and everything is read again.
	version bool
	// nodes are those whose code changed.
	nodes map[string]bool
}

func (c change) empty() bool { return !c.version && len(c.nodes) == 0 }

// merge adds other to c.
func (c *change) merge(other change) {
	c.version = c.version || other.version
	for node := range other.nodes {
		c.touch(node)
	}
}

func (c *change) touch(node string) {
	if c.nodes == nil {
		c.nodes = map[string]bool{}
	}
	c.nodes[node] = true
}

// classify returns what changes of paths, relative to the bundle, mean for the version in b.
func classify(b *krt.Bundle, paths []string) change {
	var c change
	for _, p := range paths {
		switch {
		case p == everything:
			c.version = true
			c.touchAll(b, func(krt.Kind) bool { return true })
		case p == filepath.Base(b.ManifestPath):
			c.version = true
		case path.Ext(p) == ".proto":
			// Python nodes have their modules made from the protos at start, and Go nodes
			// may have generated code or descriptors from them.
			c.version = true
			c.touchAll(b, func(k krt.Kind) bool { return k == krt.KindPython || k == krt.KindGoSource })
		case c.touchOwners(b, p):
		default:
			c.touchShared(b, p)
		}
	}
	return c
}

// touchOwners adds the nodes whose own code p is, and reports whether there are
// any.
func (c *change) touchOwners(b *krt.Bundle, p string) bool {
	owned := false
	for _, n := range b.Manifest.Nodes {
		if within(ownFolder(b.Kind(n), n.Src), p) {
			c.touch(n.Name)
			owned = true
		}
	}
	return owned
}

// touchShared adds the nodes that may use a file which is of no node in
// particular: a module in Python or Go, or data such as a model.
func (c *change) touchShared(b *krt.Bundle, p string) {
	isGo := func(k krt.Kind) bool { return k == krt.KindGoSource || k == krt.KindKo }
	switch top, _, _ := strings.Cut(p, "/"); {
	case top == "docs" || top == "metrics" || path.Ext(p) == ".md":
	case path.Ext(p) == ".py":
		c.touchAll(b, func(k krt.Kind) bool { return k == krt.KindPython })
	case path.Ext(p) == ".go" || path.Base(p) == "go.mod" || path.Base(p) == "go.sum":
		c.touchAll(b, isGo)
	case top == "bin":
	default:
		c.touchAll(b, func(krt.Kind) bool { return true })
	}
}

func (c *change) touchAll(b *krt.Bundle, which func(krt.Kind) bool) {
	for _, n := range b.Manifest.Nodes {
		if which(b.Kind(n)) {
			c.touch(n.Name)
		}
	}
}

// ownFolder is the path that holds a node's own code and nobody else's; "" when
// it cannot be told.
func ownFolder(kind krt.Kind, src string) string {
	switch {
	case src == "":
		return ""
	case kind == krt.KindPython, kind == krt.KindGoSource && path.Ext(src) == ".go":
		return path.Dir(src)
	default:
		return src
	}
}

// within reports whether p is folder or in it. The bundle's root is nobody's own: only
// files directly in it count.
func within(folder, p string) bool {
	switch folder {
	case "":
		return false
	case ".":
		return !strings.Contains(p, "/")
	}
	return p == folder || strings.HasPrefix(p, folder+"/")
}
