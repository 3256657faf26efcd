package krt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// checkContents lists what the bundle holds, and reports what Pack refuses, and what the
// version needs and is left out.
func (r *reader) checkContents(ctx context.Context, root *os.Root, b *Bundle) error {
	c, err := contents(ctx, root, PackOptions{Archive: b.Archive})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = readable(root, c.Files)
	}
	var entry *EntryError
	switch {
	case errors.As(err, &entry):
		r.add(Problem{File: entry.Name, Text: entry.Err.Error()}, "")
		return nil
	case err != nil:
		r.fail("", "%v", err)
		return nil
	}
	b.Listed = c
	r.checkNeeded(root, b, c)
	r.checkSecrets(root, c, b.Archive)
	return nil
}

// readable says which of files cannot be read.
func readable(root *os.Root, files []File) error {
	for _, f := range files {
		file, err := root.Open(f.Name)
		if err != nil {
			return &EntryError{f.Name, reason(err)}
		}
		_ = file.Close()
	}
	return nil
}

// checkNeeded reports protos and code of nodes that are left out.
func (r *reader) checkNeeded(root *os.Root, b *Bundle, c *Contents) {
	kept := map[string]bool{}
	for _, f := range c.Files {
		kept[f.Name] = true
	}
	need := func(at, what, name string) {
		if _, err := root.Stat(name); err == nil && !kept[name] {
			r.fail(at, "%s %.80q is left out of the bundle%s", what, name, c.why(name))
		}
	}
	if b.Schema != nil {
		for _, name := range slices.Sorted(maps.Keys(b.Schema.Sources())) {
			need("entrypoint.proto", "proto", name)
		}
	}
	for i, n := range b.Manifest.Nodes {
		at := fmt.Sprintf("nodes[%d].src", i)
		switch {
		case n.Src == "" || r.reported(at):
		case b.Kind(n) == KindGoSource && path.Ext(n.Src) != ".go":
			for _, name := range slices.DeleteFunc(namesIn(root, n.Src), notGoSource) {
				need(at, "file", path.Join(n.Src, name))
			}
		default:
			need(at, "src", n.Src)
		}
	}
}

// notGoSource says that no Go build needs the file.
func notGoSource(name string) bool {
	return (path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go")) && name != "go.mod" && name != "go.sum"
}

// why says by which rule name is left out, and what to do about it.
func (c *Contents) why(name string) string {
	for _, o := range c.Left {
		within := strings.HasSuffix(o.Name, "/") && strings.HasPrefix(name, o.Name)
		if o.Name != name && !within {
			continue
		}
		switch {
		case strings.HasPrefix(o.Rule, ignoreFile):
			return fmt.Sprintf(" by %s; change that line", o.Rule)
		case o.Reason == Chosen:
			return fmt.Sprintf(" by %s; write a %s, which takes the place of %s", o.Rule, ignoreFile, gitIgnore)
		}
		return fmt.Sprintf(" by %s; take it back with a line %q in %s", o.Rule, "!"+o.Name, ignoreFile)
	}
	return ""
}
